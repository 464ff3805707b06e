import type { SelectionOf } from '../../../workflows/contract/selection.ts';
import type { BufferEntry } from '../types.ts';
import type { Strategy } from './strategy.ts';
import { drawnByWeight } from './weights.ts';

/**
 * ExIt's own (§4.1, Algorithm 1): P(m) ∝ exp(κ S_m), and the N instances of highest learnability are kept. The paper
 * gives no κ (decision 9) and knows neither staleness ρ nor `maxScoreAge` (decision 14): 0 and none are its rule. `perEpisode`: the turns of one
 * episode share the weight of one entry, lest long episodes be drawn more often (decision 19).
 */
export function softmax({ inverseTemperature, perEpisode, ...ageing }: SelectionOf<'softmax'>): Strategy {
  return drawnByWeight(ageing, (buffer, scores) => {
    const turns = perEpisode ? turnsOfEpisodes(buffer) : new Map<string, number>();
    return buffer.map(
      ({ instance }, i) =>
        inverseTemperature * scores[i]! - Math.log(turns.get(instance.parent?.rolloutId ?? '') ?? 1),
    );
  });
}

/** How many entries each episode has in the buffer, by the rollout that played it. */
function turnsOfEpisodes(buffer: readonly BufferEntry[]): Map<string, number> {
  const turns = new Map<string, number>();
  for (const { instance } of buffer)
    if (instance.parent)
      turns.set(instance.parent.rolloutId, (turns.get(instance.parent.rolloutId) ?? 0) + 1);
  return turns;
}
