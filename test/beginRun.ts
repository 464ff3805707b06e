import { canonicalBytes, hashOf, sha256 } from '../activities/artifacts/canonical.ts';
import { keys } from '../activities/artifacts/keys.ts';
import { commitManifest } from '../activities/artifacts/manifests.ts';
import type { Store } from '../activities/artifacts/store.ts';
import type { RunConfig } from '../workflows/contract/config.ts';
import type { Head } from '../workflows/contract/ref.ts';

/** Commits generation 0 of a run whose policy nobody will look at. */
export async function beginRun(store: Store, runKey: string, config: RunConfig): Promise<Head> {
  const ref = await store.put(keys.config(runKey), canonicalBytes(config), 'application/json');
  const hash = sha256('');
  return commitManifest(
    store,
    runKey,
    {
      schema: 2,
      ...{ generation: 0, parent: null, configHash: hashOf(config), seed: config.seed },
      ...{ model: hash, policy: hash, optimizer: null, reference: null, curriculum: hash, plan: null },
      ...{ rollouts: [], graded: [], embeddings: [], groups: null, metrics: null, conservation: null },
      changes: [],
    },
    {
      ...{ runKey, committedAt: new Date(0).toISOString(), host: 'here', processor: 'one', versions: {} },
      ...{ workflowId: 'mine', workflowRunId: 'one', seconds: {}, peakResidentBytes: null },
      artifacts: {
        ...{ config: ref, policy: ref, optimizer: null, reference: null, curriculum: ref, plan: null },
        ...{ rollouts: [], graded: [], embeddings: [], groups: null },
      },
    },
  );
}
