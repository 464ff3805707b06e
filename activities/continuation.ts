import type { Continuation } from '../workflows/contract/progress.ts';
import { keptEvaluations, rewardsKept } from '../workflows/contract/progress.ts';
import type { Head } from '../workflows/contract/ref.ts';
import { readEvaluations } from './artifacts/evaluations.ts';
import { readChain } from './artifacts/manifests.ts';
import type { Store } from './artifacts/store.ts';

/** What a new execution needs to go on with a run from a head, from the record alone. */
export async function continuationOf(store: Store, runKey: string, head: Head): Promise<Continuation> {
  const [chain, evaluations] = await Promise.all([readChain(store, runKey), readEvaluations(store, runKey)]);
  return {
    runKey,
    head,
    rewards: chain.flatMap(({ content }) => content.metrics?.meanReward ?? []).slice(-rewardsKept),
    evaluations: keptEvaluations(
      evaluations.map(({ generation, depths }) => ({
        generation,
        accuracy: depths.map(({ accuracy }) => accuracy),
      })),
    ),
  };
}
