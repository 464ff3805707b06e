import type { SelectionOf } from '../../../workflows/contract/selection.ts';
import { insert } from '../insertion.ts';
import type { BufferEntry } from '../types.ts';
import type { Strategy } from './strategy.ts';
import { effectiveSampleSize, mixedWithAge, withoutReplacement } from './weights.ts';

/**
 * Prioritised level replay (Jiang et al. 2021, arXiv:2010.03934): P(m) ∝ rank(S_m)^(−1/τ), mixed with staleness. Ranks
 * start at 1 for the highest S; entries of equal S share the mean of their ranks, lest their order in the buffer
 * decide.
 */
export function plrRank({ temperature, staleness }: SelectionOf<'plr-rank'>): Strategy {
  const weigh = (buffer: readonly BufferEntry[], generation: number) => {
    const logWeights = ranks(buffer).map((rank) => -Math.log(rank) / temperature);
    return mixedWithAge(logWeights, buffer, generation, staleness);
  };
  return {
    propose: (buffer, { generation, random }) =>
      withoutReplacement(buffer, weigh(buffer, generation), random),
    observe: insert,
    metrics: (buffer, generation) => ({
      effectiveSampleSize: effectiveSampleSize(weigh(buffer, generation)),
    }),
  };
}

function ranks(buffer: readonly BufferEntry[]): number[] {
  return buffer.map(({ score }) => {
    const higher = buffer.filter((other) => other.score > score).length;
    const equal = buffer.filter((other) => other.score === score).length;
    return higher + (equal + 1) / 2;
  });
}
