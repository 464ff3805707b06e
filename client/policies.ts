import { availableParallelism } from 'node:os';
import { findHead, findManifest } from '../activities/artifacts/manifests.ts';
import type { Manifest } from '../activities/artifacts/manifest.ts';
import type { Store } from '../activities/artifacts/store.ts';
import { openDevice } from '../activities/policy/engine/device.ts';
import type { Blob, Device, Tokenizer } from '../activities/policy/policy.ts';
import { openTokenizer } from '../activities/policy/tokenizer/tokenizer.ts';
import { blobOf, loadState } from '../activities/state.ts';
import { modelName, resolveModel } from '../infra/setup/model.ts';
import type { DeviceKind, RunConfig } from '../workflows/contract/config.ts';
import { CommandFailure, exitCodes } from './exit.ts';
import { findRunKey } from './record.ts';
import { note } from './terminal.ts';

/** A committed policy, as the record has it. */
export interface CommittedPolicy {
  runKey: string;
  manifest: Manifest;
  config: RunConfig;
  policy: Blob;
}

/** The policy of a run's head, or of one of its generations. */
export async function findPolicy(store: Store, run: string, generation?: number): Promise<CommittedPolicy> {
  const runKey = await findRunKey(store, null, run);
  const found = await (generation === undefined
    ? findHead(store, runKey)
    : findManifest(store, runKey, generation));
  if (!found)
    throw new CommandFailure(
      exitCodes.notFound,
      generation === undefined
        ? `Run ${runKey} has committed nothing yet.`
        : `Run ${runKey} has no generation ${generation}: see \`reiterate show ${run}\`.`,
    );
  const { config } = await loadState(store, { runKey, head: found.head });
  return {
    runKey,
    manifest: found.manifest,
    config,
    policy: blobOf(store, found.manifest.observed.artifacts.policy),
  };
}

/** A model at hand: as it is, or as a run has trained it. */
export interface OpenPolicy {
  device: Device;
  tokenizer: Tokenizer;
  policy: Blob | null;
}

/**
 * Works with the engine and closes it. Without a policy: the base model that the presets name, or `model`. On the
 * device of the policy's run, or the processor, when no other is given.
 */
export async function withPolicy<T>(
  policy: CommittedPolicy | null,
  { model, device: kind }: { model?: string | undefined; device?: DeviceKind | undefined },
  work: (open: OpenPolicy) => Promise<T>,
): Promise<T> {
  const modelPath = await resolveModel(policy?.config.model ?? model ?? modelName, note);
  const tokenizer = await openTokenizer(modelPath);
  const device = await openDevice({
    modelPath,
    device: kind ?? policy?.config.device ?? 'cpu',
    threads: policy?.config.threads ?? availableParallelism(),
  });
  try {
    return await work({ device, tokenizer, policy: policy?.policy ?? null });
  } finally {
    await device.close();
  }
}
