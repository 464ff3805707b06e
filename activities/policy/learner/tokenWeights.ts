import type { TrainingConfig } from '../../../workflows/contract/config.ts';
import type { TrainGroup } from '../policy.ts';

/**
 * What one token of each completion weighs in the loss: `weights[group][completion]`. A completion with
 * `trained: false` weighs nothing. The groups are those of one optimizer step. With N groups of G completions, |o| the tokens of a completion:
 * - `sequence`: 1 / (N · G · |o|), the printed objective (ExIt §2.2): untrained completions count in G;
 * - `token`: 1 / (tokens of all trained completions), so that long answers weigh more;
 * - `constant`: 1 / (N · G · maxNewTokens), free of length (Dr. GRPO): untrained completions count in G.
 */
export function tokenWeights(
  groups: readonly TrainGroup[],
  normalisation: TrainingConfig['lossNormalisation'],
  maxNewTokens: number,
): number[][] {
  const trainedTokens = groups
    .flatMap(({ completions }) => completions)
    .reduce((sum, { trained, tokenIds }) => sum + (trained ? tokenIds.length : 0), 0);
  return groups.map(({ completions }) =>
    completions.map(({ trained, tokenIds }) => {
      if (!trained) return 0;
      switch (normalisation) {
        case 'sequence':
          return 1 / (groups.length * completions.length * tokenIds.length);
        case 'token':
          return 1 / trainedTokens;
        case 'constant':
          return 1 / (groups.length * completions.length * maxNewTokens);
      }
    }),
  );
}
