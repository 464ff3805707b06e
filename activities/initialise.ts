import { emptyCurriculum } from './curriculum/score.ts';
import { assumptions } from './curriculum/assumptions/index.ts';
import { canonicalBytes, hashOf, legibleBytes } from './artifacts/canonical.ts';
import { keys } from './artifacts/keys.ts';
import { commitManifest, findManifest } from './artifacts/manifests.ts';
import type { Dependencies } from './dependencies.ts';
import { withHeartbeat } from './boundary.ts';
import { observe } from './commit.ts';
import type { Device } from './policy/policy.ts';
import { keyOf, keyToHex } from './random.ts';
import { assertReplays } from './replayed.ts';
import type { RunConfig } from '../workflows/contract/config.ts';
import type { Head } from '../workflows/contract/ref.ts';
import type { InitialiseInput } from '../workflows/contract/steps.ts';

/** Generation 0: the configuration, a first policy that changes nothing yet, an empty task buffer. */
export function initialise(dependencies: Dependencies) {
  return ({ runKey, config }: InitialiseInput): Promise<Head> =>
    withHeartbeat(async () => {
      const { store } = dependencies;
      const configHash = hashOf(config);
      const committed = await findManifest(store, runKey, 0);
      // Of another configuration: the commit below says so.
      if (committed?.manifest.content.configHash === configHash) return committed.head;
      // Wrong family names and impossible task counts are found here, before any work.
      dependencies.openDomain(config.domain);
      const device = await dependencies.device(config);
      const model = await device.model();
      if (config.training.trainPrefix) assertReplays(await dependencies.tokenizer(config.model));
      const embedder = await embedderOf(dependencies, device, config);
      const { lora } = config.training;
      const initial = await device.initialPolicy(lora, keyToHex(keyOf([config.seed, 'adapter'])));
      const [configRef, policy, curriculum] = await Promise.all([
        store.put(keys.config(runKey), legibleBytes(config), 'application/json'),
        store.put(keys.policy(runKey, 0, lora ? 'adapter' : 'full'), initial, 'application/octet-stream'),
        store.put(keys.curriculum(runKey, 0), canonicalBytes(emptyCurriculum()), 'application/json'),
        store.put(keys.assumptions(runKey), legibleBytes(assumptions), 'application/json'),
      ]);
      const artifacts = {
        config: configRef,
        policy,
        optimizer: null,
        reference: config.training.klCoefficient > 0 ? policy : null,
        curriculum,
        plan: null,
        rollouts: [],
        graded: [],
        embeddings: [],
        groups: null,
      };
      return commitManifest(
        store,
        runKey,
        {
          schema: 2,
          generation: 0,
          parent: null,
          configHash,
          seed: config.seed,
          model: model.sha256,
          ...(embedder !== null && { embedder }),
          policy: policy.sha256,
          optimizer: null,
          reference: artifacts.reference?.sha256 ?? null,
          curriculum: curriculum.sha256,
          plan: null,
          rollouts: [],
          graded: [],
          embeddings: [],
          groups: null,
          metrics: null,
          conservation: null,
          changes: [],
        },
        observe(dependencies, runKey, artifacts, {}, null),
      );
    });
}

/** sha256 of what will embed answers, null when it is the base model or nothing. One that cannot be had is found here. */
async function embedderOf(
  { embedder }: Dependencies,
  device: Device,
  { curriculum: { diversityBonus } }: RunConfig,
): Promise<string | null> {
  return diversityBonus && device.embedder(await embedder(diversityBonus.embedder));
}
