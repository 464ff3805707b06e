/** A value that the paper does not print, a rule that it leaves open, or a printed value that some presets change. */
export interface Assumption {
  /** Number by which comments in the code name it: "decision 12". */
  decision: number;
  /** Paths in the run configuration; none for what is fixed in the code. */
  paths: readonly string[];
  what: string;
  /** Of the presets that follow the paper; what is fixed is the same in all. */
  faithful: string;
  /** Of the presets for a small model on two cores, where they differ. */
  robust?: string;
  why: string;
  /** The part of the method that it is about; absent: every run has it. */
  part?: Part;
}

/** What a configuration may lack: then nothing is assumed of it. */
export type Part = 'buffer' | 'selfIteration' | 'diversityBonus' | 'improvement' | 'kl' | 'episodes';
