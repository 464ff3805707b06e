import type { TrainGroup } from '../policy.ts';

/** Weights of one token of each completion, `[group][completion]`. */
type Weights = readonly (readonly number[])[];

/**
 * What is computed of groups: each prompt with its completions, and after them each later turn, which has a prompt of
 * its own, as a group of one, with the advantage and the weight of its rollout. Groups of one turn stay as they are.
 */
export function sequencesOf(
  groups: readonly TrainGroup[],
  weights: Weights,
): { sequences: TrainGroup[]; weights: Weights } {
  const parts = groups.flatMap((group, g) => [
    { sequence: group, weights: weights[g]! },
    ...group.completions.flatMap(({ advantage, trained, laterTurns = [] }, c) =>
      laterTurns.map(({ promptIds, ...sampled }) => ({
        sequence: { promptIds, completions: [{ ...sampled, advantage, trained }] },
        weights: [weights[g]![c]!],
      })),
    ),
  ]);
  return {
    sequences: parts.map(({ sequence }) => sequence),
    weights: parts.map((part) => part.weights),
  };
}
