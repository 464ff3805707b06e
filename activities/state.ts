import { RunConfig } from '../workflows/contract/config.ts';
import { TypedFailure } from '../workflows/contract/failures.ts';
import type { Ref } from '../workflows/contract/ref.ts';
import type { From } from '../workflows/contract/steps.ts';
import { parseJson } from './artifacts/canonical.ts';
import { EvaluationSetting } from './artifacts/evaluation.ts';
import type { Manifest } from './artifacts/manifest.ts';
import { readManifest } from './artifacts/manifests.ts';
import type { Store } from './artifacts/store.ts';
import type { Curriculum } from './curriculum/types.ts';
import type { Blob, Device, EmbedderFiles } from './policy/policy.ts';

/** A committed generation, read by hash and verified: the manifest is the whole state (invariant 2). */
export interface State {
  manifest: Manifest;
  config: RunConfig;
}

export async function loadState(store: Store, { head, setting }: From): Promise<State> {
  const manifest = await readManifest(store, head);
  const ref = manifest.observed.artifacts.config;
  const config = parseJson(await store.read(ref), RunConfig, ref.key);
  if (!setting) return { manifest, config };
  const { domain, evaluation, maxNewTokens, seed } = parseJson(
    await store.read(setting),
    EvaluationSetting,
    setting.key,
  );
  return {
    manifest,
    config: { ...config, domain, evaluation, seed, sampling: { ...config.sampling, maxNewTokens } },
  };
}

/**
 * Call it when the device has done its work: the model is loaded then, and the answer costs nothing.
 *
 * @throws `ModelUnavailable` when what this worker has under that name is not the model that the run began with.
 */
export async function assertModel(device: Device, { manifest, config }: State): Promise<void> {
  const { sha256 } = await device.model();
  if (sha256 === manifest.content.model) return;
  throw new TypedFailure(
    'ModelUnavailable',
    `Model '${config.model}' on this worker has sha256 ${sha256}; the run began with ${manifest.content.model}. Put that one in its place.`,
  );
}

/** @throws `EmbedderUnavailable` when what this worker embeds with is not what the run began with. */
export async function assertEmbedder(
  device: Device,
  embedder: EmbedderFiles,
  { manifest }: State,
): Promise<void> {
  const sha256 = await device.embedder(embedder);
  const wanted = manifest.content.embedder ?? null;
  if (sha256 === wanted) return;
  throw new TypedFailure(
    'EmbedderUnavailable',
    `Embedder '${embedder.name}' on this worker, in ${embedder.folder}, has sha256 ${sha256}; the run began with ${wanted}. Put that one in its place.`,
  );
}

export async function loadCurriculum(store: Store, state: State): Promise<Curriculum> {
  return (await readJson(store, state.manifest.observed.artifacts.curriculum)) as Curriculum;
}

export async function readJson(store: Store, ref: Ref): Promise<unknown> {
  return JSON.parse(new TextDecoder().decode(await store.read(ref)));
}

/** A stored blob as the engine wants it: fetched only when the engine does not hold it yet. */
export function blobOf(store: Store, ref: Ref): Blob {
  return { sha256: ref.sha256, load: () => store.read(ref) };
}
