import type { Symbols } from '../graph/dims.ts';
import type { Program } from '../graph/program.ts';

/** What a training pass runs on. */
export interface TrainingPass {
  program: Program;
  /** Its backward half computes the layers again. */
  checkpointed: boolean;
}

/**
 * Chooses the program for a pass by its sizes: `plain`, or `checkpointed`, made when first needed, where `plain` would
 * keep more than the budget for its backward half. Both give the same bits; a checkpointed pass takes longer.
 */
export function passesWithin(
  memoryBudgetMiB: number,
  plain: Program,
  checkpointed: () => Promise<Program>,
): (symbols: Symbols) => Promise<TrainingPass> {
  return async (symbols) =>
    plain.keptBytes(symbols) > memoryBudgetMiB * 2 ** 20
      ? { program: await checkpointed(), checkpointed: true }
      : { program: plain, checkpointed: false };
}
