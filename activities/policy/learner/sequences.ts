import type { TrainGroup } from '../policy.ts';

type Completion = TrainGroup['completions'][number];

/** Weights of one token of each completion, `[group][completion]`. */
type Weights = readonly (readonly number[])[];

/** What is computed of one prompt: it once, and its completions side by side. */
export interface Sequence {
  promptIds: number[];
  completions: (Omit<Completion, 'laterTurns'> & {
    /** Not sampled but read in the prompt: the sampler said nothing of its tokens, and metrics leave them out. */
    replayed?: true;
  })[];
}

/**
 * What is computed of groups: each prompt with its completions, and after them, as prompts of their own, the answers
 * that it replays and each later turn, a group of one with the advantage and the weight of its rollout. Groups of one
 * turn stay as they are.
 */
export function sequencesOf(
  groups: readonly TrainGroup[],
  weights: Weights,
): { sequences: Sequence[]; weights: Weights } {
  const parts = groups.flatMap((group, g): { sequence: Sequence; weights: readonly number[] }[] => [
    { sequence: group, weights: weights[g]! },
    ...replayedOf(group, weights[g]!),
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

/**
 * Every rollout trains the answers its prompt replays with its own advantage and weight. Their tokens and ratio are
 * those of all rollouts alike, and the clipped objective is linear in A ≥ 0 and in A < 0: so one completion with the
 * weighted mean advantage of each sign is their sum.
 */
function replayedOf({ replayed = [], completions }: TrainGroup, weightsC: readonly number[]) {
  const ofSign = (wanted: (advantage: number) => boolean) => {
    const chosen = completions.map(({ advantage }, c) => ({ advantage, weight: weightsC[c]! }));
    const counted = chosen.filter(({ advantage, weight }) => weight > 0 && wanted(advantage));
    const weight = counted.reduce((sum, one) => sum + one.weight, 0);
    const gain = counted.reduce((sum, one) => sum + one.weight * one.advantage, 0);
    return weight > 0 ? [{ weight, advantage: gain / weight }] : [];
  };
  const signs = [...ofSign((advantage) => advantage >= 0), ...ofSign((advantage) => advantage < 0)];
  return replayed.map(({ promptIds, tokenIds }) => {
    const unknown = new Array<number>(tokenIds.length).fill(0);
    return {
      sequence: {
        promptIds,
        completions: signs.map(({ advantage }) => ({
          ...{ tokenIds, advantage, logProbs: unknown, policyLogProbs: unknown },
          trained: true,
          replayed: true as const,
        })),
      },
      weights: signs.map(({ weight }) => weight),
    };
  });
}
