import type { TrainingConfig } from '../../workflows/contract/config.ts';
import { learnability } from './learnability.ts';

const epsilon = 1e-8;

/**
 * Group-relative advantages (ExIt §2.2, eq. 3), the same for every completion token of rollout i.
 *
 *     standard   A_i = (r_i − mean r) / (std r + 1e-8)
 *     centered   A_i = r_i − mean r              (Liu et al. 2025, used by the paper for tool use)
 *     max-rl     A_i = (r_i − mean r) / (mean r + 1e-8)   (maximum-likelihood RL, arXiv:2602.02710)
 *
 * Our choice (decision 4): std is that of the population (÷ G), as for learnability; the paper does not say.
 * Equal rewards give exactly 0.
 */
export function advantages(rewardsG: readonly number[], kind: TrainingConfig['advantage']): number[] {
  const [first = 0] = rewardsG;
  const shiftedG = rewardsG.map((reward) => reward - first);
  const mean = shiftedG.reduce((sum, shifted) => sum + shifted, 0) / shiftedG.length;
  const scale = {
    standard: Math.sqrt(learnability(rewardsG)) + epsilon,
    centered: 1,
    'max-rl': first + mean + epsilon,
  }[kind];
  return shiftedG.map((shifted) => (shifted - mean) / scale);
}
