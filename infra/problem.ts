/**
 * Something outside the program is missing or wrong: a tool, a service, a file, a credential. The message names
 * it and says what to do; commands print it as it is, without a stack.
 */
export class InfraProblem extends Error {
  override name = 'InfraProblem';
}

/** Receives one line of progress for a person to read. */
export type Report = (line: string) => void;
