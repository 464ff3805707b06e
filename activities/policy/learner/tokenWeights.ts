import type { TrainingConfig } from '../../../workflows/contract/config.ts';
import type { TrainGroup } from '../policy.ts';

/**
 * What one token of each rollout weighs in the loss, in whichever turn: `weights[group][completion]`. A rollout with
 * `trained: false` weighs nothing. The groups are those of one optimizer step. With N groups of G rollouts, |o| the
 * tokens that a rollout's completions have in all its turns, with the answers its prompt replays if they are trained:
 * - `sequence`: 1 / (N · G · |o|), the printed objective (ExIt §2.2): untrained rollouts count in G;
 * - `token`: 1 / (tokens of all trained rollouts), so that long answers weigh more;
 * - `constant`: 1 / (N · G · maxNewTokens), free of length (Dr. GRPO): untrained rollouts count in G.
 */
export function tokenWeights(
  groups: readonly TrainGroup[],
  normalisation: TrainingConfig['lossNormalisation'],
  maxNewTokens: number,
): number[][] {
  const lengthsGC = groups.map(({ replayed = [], completions }) => {
    const before = replayed.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
    return completions.map(({ tokenIds, laterTurns = [] }) =>
      laterTurns.reduce((sum, turn) => sum + turn.tokenIds.length, before + tokenIds.length),
    );
  });
  const trainedTokens = groups
    .flatMap(({ completions }, g) => completions.map(({ trained }, c) => (trained ? lengthsGC[g]![c]! : 0)))
    .reduce((sum, length) => sum + length, 0);
  return groups.map(({ completions }, g) =>
    completions.map(({ trained }, c) => {
      if (!trained) return 0;
      switch (normalisation) {
        case 'sequence':
          return 1 / (groups.length * completions.length * lengthsGC[g]![c]!);
        case 'token':
          return 1 / trainedTokens;
        case 'constant':
          return 1 / (groups.length * completions.length * maxNewTokens);
      }
    }),
  );
}
