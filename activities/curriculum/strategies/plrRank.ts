import type { SelectionOf } from '../../../workflows/contract/selection.ts';
import type { BufferEntry } from '../types.ts';
import type { Strategy } from './strategy.ts';
import { drawnByWeight, mixedWithAge } from './weights.ts';

/**
 * Prioritised level replay (Jiang et al. 2021, arXiv:2010.03934): P(m) ∝ rank(S_m)^(−1/τ), mixed with staleness. Ranks
 * start at 1 for the highest S; entries of equal S share the mean of their ranks, lest their order in the buffer
 * decide.
 */
export function plrRank({ temperature, staleness }: SelectionOf<'plr-rank'>): Strategy {
  return drawnByWeight((buffer, generation) => {
    const logWeights = ranks(buffer).map((rank) => -Math.log(rank) / temperature);
    return mixedWithAge(logWeights, buffer, generation, staleness);
  });
}

function ranks(buffer: readonly BufferEntry[]): number[] {
  return buffer.map(({ score }) => {
    const higher = buffer.filter((other) => other.score > score).length;
    const equal = buffer.filter((other) => other.score === score).length;
    return higher + (equal + 1) / 2;
  });
}
