import type { Continuation } from '../workflows/contract/progress.ts';
import { keptEvaluations, rewardsKept } from '../workflows/contract/progress.ts';
import type { Head } from '../workflows/contract/ref.ts';
import { readEvaluations } from './artifacts/evaluations.ts';
import { readChain } from './artifacts/manifests.ts';
import type { Store } from './artifacts/store.ts';

/**
 * What a new execution needs to go on with a run from a head, from the record alone. A step that was at work when the
 * run ended may have committed more since the head was read: that is made again, and counted then.
 */
export async function continuationOf(store: Store, runKey: string, head: Head): Promise<Continuation> {
  const [chain, evaluations] = await Promise.all([readChain(store, runKey), readEvaluations(store, runKey)]);
  return {
    runKey,
    head,
    rewards: chain
      .slice(0, head.generation + 1)
      .flatMap(({ content }) => content.metrics?.meanReward ?? [])
      .slice(-rewardsKept),
    evaluations: keptEvaluations(
      evaluations
        .filter(({ generation }) => generation <= head.generation)
        .map(({ generation, depths }) => ({ generation, accuracy: depths.map(({ accuracy }) => accuracy) })),
    ),
  };
}
