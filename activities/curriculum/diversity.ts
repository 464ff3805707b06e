import type { DiversityBonusConfig } from '../../workflows/contract/config.ts';
import { mean } from './statistics.ts';

/**
 * Distances whose range is under this share of their mean are as good as equal: the paper's quotient is then rounding
 * over rounding, or 0 / 0. Two different answers, each given by half of a group, are such a case.
 */
const smallestRange = 1e-3;

/** The paper's quotient has no upper bound, and would silently multiply the learning rate (decision 25). */
const largestBonus = 10;

/**
 * Diversity bonus d_i of each rollout of a group, by which its advantage is multiplied (ExIt §4.2, eq. 6): how far its
 * solution lies from the middle of the group's, x_i = ‖e_i − ē‖.
 *
 *     paper      d_i = x_i / (max x − min x), at most 10
 *     mean-one   d_i = x_i / mean x
 *     min-max    d_i = (x_i − min x) / (max x − min x)
 *
 * 1 for all when the distances are as good as equal.
 *
 * @param embeddingsG e_i, of one length.
 */
export function diversity(
  embeddingsG: readonly ArrayLike<number>[],
  scale: DiversityBonusConfig['scale'],
): number[] {
  const width = embeddingsG[0]?.length ?? 0;
  const middle = Array.from({ length: width }, (_, i) => mean(embeddingsG.map((embedding) => embedding[i]!)));
  const distancesG = embeddingsG.map((embedding) =>
    Math.sqrt(middle.reduce((sum, m, i) => sum + (embedding[i]! - m) ** 2, 0)),
  );
  const [nearest, farthest] = [Math.min(...distancesG), Math.max(...distancesG)];
  const range = farthest - nearest;
  const usual = mean(distancesG);
  // Embeddings are in single precision, and equal answers may differ by its rounding.
  const size = Math.sqrt(middle.reduce((sum, m) => sum + m ** 2, 0));
  if (!(range > smallestRange * usual && usual > 1e-5 * size)) return distancesG.map(() => 1);
  const bonus = {
    paper: (x: number) => Math.min(largestBonus, x / range),
    'mean-one': (x: number) => x / usual,
    'min-max': (x: number) => (x - nearest) / range,
  }[scale];
  return distancesG.map(bonus);
}

/** d_i A_i, or only where A_i is positive, so that no failure is punished for being another one. */
export function withBonus(
  advantagesG: readonly number[],
  bonusG: readonly number[],
  positiveOnly: boolean,
): number[] {
  return advantagesG.map((advantage, i) =>
    positiveOnly && advantage <= 0 ? advantage : advantage * bonusG[i]!,
  );
}
