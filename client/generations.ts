import type { Manifest } from '../activities/artifacts/manifest.ts';
import { decodeEmbeddings, decodeGroups } from '../activities/artifacts/parquet.ts';
import type { EmbeddingRow, GroupRow, Plan } from '../activities/artifacts/records.ts';
import { episodesOf } from '../activities/episode.ts';
import type { Store } from '../activities/artifacts/store.ts';
import type { Curriculum } from '../activities/curriculum/types.ts';
import { readJson } from '../activities/state.ts';

/** A committed generation that played something: every one but generation 0. */
export interface Generation {
  generation: number;
  manifest: Manifest;
  metrics: NonNullable<Manifest['content']['metrics']>;
  conservation: NonNullable<Manifest['content']['conservation']>;
}

/** Those of a chain, in order. */
export function generationsOf(chain: readonly Manifest[]): Generation[] {
  return chain.flatMap((manifest): Generation[] => {
    const { generation, metrics, conservation } = manifest.content;
    return metrics && conservation ? [{ generation, manifest, metrics, conservation }] : [];
  });
}

/** What was drawn. */
export async function readPlan(
  store: Store,
  { observed: { artifacts } }: Manifest,
): Promise<Plan['prompts']> {
  return artifacts.plan ? ((await readJson(store, artifacts.plan)) as Plan).prompts : [];
}

/** The drafts that were drawn before; none without a draft stage. */
export async function readDraftPlan(
  store: Store,
  { observed: { artifacts } }: Manifest,
): Promise<Plan['prompts']> {
  return artifacts.drafts ? ((await readJson(store, artifacts.drafts.plan)) as Plan).prompts : [];
}

/** What became of it, one row a rollout, in order. */
export async function readGroups(store: Store, { observed: { artifacts } }: Manifest): Promise<GroupRow[]> {
  return artifacts.groups ? decodeGroups(await store.read(artifacts.groups), artifacts.groups.key) : [];
}

/** The same with one row a rollout, its answer to the prompt: turns played after it are left out. */
export async function readRollouts(store: Store, manifest: Manifest): Promise<GroupRow[]> {
  return episodesOf(await readGroups(store, manifest)).map(([answer]) => answer);
}

/** The curriculum as the generation left it. */
export async function readCurriculum(
  store: Store,
  { observed: { artifacts } }: Manifest,
): Promise<Curriculum> {
  return (await readJson(store, artifacts.curriculum)) as Curriculum;
}

/** Of each rollout, in order; none where nothing was embedded. */
export async function readEmbeddings(
  store: Store,
  { observed: { artifacts } }: Manifest,
): Promise<EmbeddingRow[]> {
  const shards = artifacts.embeddings.map(async (ref) => decodeEmbeddings(await store.read(ref), ref.key));
  return (await Promise.all(shards)).flat();
}
