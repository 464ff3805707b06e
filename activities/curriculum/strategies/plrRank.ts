import type { SelectionOf } from '../../../workflows/contract/selection.ts';
import type { Strategy } from './strategy.ts';
import { drawnByWeight } from './weights.ts';

/**
 * Prioritised level replay (Jiang et al. 2021, arXiv:2010.03934): P(m) ∝ rank(S_m)^(−1/τ), mixed with staleness. Ranks
 * start at 1 for the highest S; entries of equal S share the mean of their ranks, lest their order in the buffer
 * decide.
 */
export function plrRank({ temperature, ...ageing }: SelectionOf<'plr-rank'>): Strategy {
  return drawnByWeight(ageing, (_, scores) => ranks(scores).map((rank) => -Math.log(rank) / temperature));
}

function ranks(scores: readonly number[]): number[] {
  return scores.map((score) => {
    const higher = scores.filter((other) => other > score).length;
    const equal = scores.filter((other) => other === score).length;
    return higher + (equal + 1) / 2;
  });
}
