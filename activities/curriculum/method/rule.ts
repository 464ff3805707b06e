/** One rule of the method as a configuration has it. */
export interface Rule {
  name: string;
  /** One line each. */
  formula: readonly string[];
  /** Where it comes from. */
  source: string;
  /** Where it is in the code, the formula first. */
  files: readonly string[];
  /** Paths of the constants in it. */
  constants: readonly string[];
}
