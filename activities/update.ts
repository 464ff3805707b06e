import { UpdateStepResult, type Place, type UpdateInput } from '../workflows/contract/steps.ts';
import type { Ref } from '../workflows/contract/ref.ts';
import { keys } from './artifacts/keys.ts';
import { once } from './artifacts/once.ts';
import { decodeGroups } from './artifacts/parquet.ts';
import type { Plan } from './artifacts/records.ts';
import { secondsSince, withHeartbeat } from './boundary.ts';
import type { Dependencies } from './dependencies.ts';
import { assertModel, blobOf, loadState, readJson } from './state.ts';
import { replayedOf } from './replayed.ts';
import { trainGroups } from './trainGroups.ts';

const safetensors = 'application/octet-stream';

/**
 * GRPO on the groups that were not dropped (ExIt §2.2), and the reference policy's move when it is due. Without any
 * the policy stays as it is.
 */
export function update(dependencies: Dependencies) {
  return (input: UpdateInput): Promise<UpdateStepResult> =>
    withHeartbeat((call) => {
      const { store } = dependencies;
      const { runKey, generation } = input;
      const place: Place = { kind: 'generation', generation };
      const key = keys.step(runKey, place, 'update');
      return once(store, key, [input.head.hash, input.groups.sha256], UpdateStepResult, async () => {
        const started = performance.now();
        const state = await loadState(store, input);
        const { manifest, config } = state;
        const before = manifest.observed.artifacts;
        const rows = await decodeGroups(await store.read(input.groups), input.groups.key);
        const groups = trainGroups(
          rows,
          config.training.overlong,
          config.training.trainPrefix ? await replayedIn(config.model, input.plan) : undefined,
        );
        const device = await dependencies.device(config);
        let { policy, optimizer } = before;
        let metrics: UpdateStepResult['metrics'] = null;
        let peakResidentBytes: UpdateStepResult['peakResidentBytes'] = null;
        if (groups.length > 0) {
          const updated = await device.update(
            {
              policy: blobOf(store, before.policy),
              optimizer: before.optimizer && blobOf(store, before.optimizer),
              reference: before.reference && blobOf(store, before.reference),
              groups,
              training: config.training,
              temperature: config.sampling.temperature,
              maxNewTokens: config.sampling.maxNewTokens,
            },
            call,
          );
          await assertModel(device, state);
          call.signal.throwIfAborted();
          const weights = config.training.lora ? 'adapter' : 'full';
          [policy, optimizer] = await Promise.all([
            store.put(keys.policy(runKey, generation, weights), updated.policy, safetensors),
            store.put(keys.optimizer(runKey, generation), updated.optimizer, safetensors),
          ]);
          ({ metrics, peakResidentBytes } = updated);
        }
        return {
          policy,
          optimizer,
          reference: await moveReference(before.reference, policy),
          metrics,
          peakResidentBytes,
          seconds: secondsSince(started),
        };

        async function replayedIn(model: string, ref: Ref) {
          const [plan, tokenizer] = await Promise.all([readJson(store, ref), dependencies.tokenizer(model)]);
          const { prompts } = plan as Plan;
          return (ordinal: number) => replayedOf(prompts[ordinal]!, tokenizer);
        }

        /** Every `interval` generations ref ← (1 − α) ref + α θ. */
        async function moveReference(reference: Ref | null, latest: Ref): Promise<Ref | null> {
          const { interval, alpha } = config.training.reference;
          if (!reference || generation % interval !== 0) return reference;
          if (alpha === 1) return latest;
          const blended = await device.blend(blobOf(store, reference), blobOf(store, latest), alpha);
          return store.put(keys.reference(runKey, generation), blended, safetensors);
        }
      });
    });
}
