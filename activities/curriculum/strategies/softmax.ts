import type { SelectionOf } from '../../../workflows/contract/selection.ts';
import type { BufferEntry } from '../types.ts';
import type { Strategy } from './strategy.ts';
import { drawnByWeight, mixedWithAge } from './weights.ts';

/**
 * ExIt's own (§4.1, Algorithm 1): P(m) ∝ exp(κ S_m), and the N instances of highest learnability are kept. The paper
 * gives no κ (decision 9) and knows no staleness ρ (decision 14): 0 is the paper's rule. `perEpisode`: the turns of one
 * episode share the weight of one entry, lest long episodes be drawn more often (decision 19).
 */
export function softmax({ inverseTemperature, staleness, perEpisode }: SelectionOf<'softmax'>): Strategy {
  return drawnByWeight((buffer, generation) => {
    const turns = perEpisode ? turnsOfEpisodes(buffer) : new Map<string, number>();
    const logWeights = buffer.map(
      ({ score, instance }) =>
        inverseTemperature * score - Math.log(turns.get(instance.parent?.rolloutId ?? '') ?? 1),
    );
    return mixedWithAge(logWeights, buffer, generation, staleness);
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
