import { TypedFailure } from '../../workflows/contract/failures.ts';
import { nameOfRun } from '../../workflows/contract/names.ts';
import type { Head } from '../../workflows/contract/ref.ts';
import { hashOf, legibleBytes, parseJson } from './canonical.ts';
import { generationOfFolder, keys, runKeyOfFolder, runsFolder } from './keys.ts';
import { Manifest, type ManifestContent, type ManifestObserved } from './manifest.ts';
import type { Store } from './store.ts';

/** Manifests read at the same time when a whole chain is read. */
const concurrentReads = 16;

/** A run as the store knows it. */
export interface RunInStore {
  runKey: string;
  head: Head;
  manifest: Manifest;
}

/** The manifest of a content: its hash is that of `content` alone, so it tells what the run is. */
export function buildManifest(content: ManifestContent, observed: ManifestObserved): Manifest {
  return { hash: hashOf(content), content, observed };
}

/**
 * Makes a generation part of its run: one conditional put. Repeating a commit returns the head it made.
 *
 * @throws `ParentNotHead` when the parent it names is not the manifest of the generation before, or when another
 * content was committed as this generation.
 */
export async function commitManifest(
  store: Store,
  runKey: string,
  content: ManifestContent,
  observed: ManifestObserved,
): Promise<Head> {
  await assertParent(store, runKey, content);
  const manifest = buildManifest(content, observed);
  const key = keys.manifest(runKey, content.generation);
  const { bytes, ref } = await store.putOnce(key, legibleBytes(manifest), 'application/json');
  const committed = parseManifest(bytes, key);
  if (committed.hash !== manifest.hash)
    throw new TypedFailure(
      'ParentNotHead',
      `Generation ${content.generation} of ${runKey} is already committed as ${short(committed.hash)}; ${short(manifest.hash)} was not written. Another execution has gone on with this run: go on from its newest generation, or start a run of another name.`,
    );
  return { generation: content.generation, hash: committed.hash, manifest: ref };
}

/** The manifest a head names, its bytes and the hash of its content verified. */
export async function readManifest(store: Store, head: Head): Promise<Manifest> {
  const manifest = parseManifest(await store.read(head.manifest), head.manifest.key);
  if (manifest.hash !== head.hash)
    throw new TypedFailure(
      'ArtifactCorrupt',
      `${head.manifest.key} is manifest ${manifest.hash}, expected ${head.hash}`,
    );
  return manifest;
}

/** The newest committed generation, or null when the run has none. */
export async function findHead(
  store: Store,
  runKey: string,
): Promise<{ head: Head; manifest: Manifest } | null> {
  const folders = await store.folders(keys.generations(runKey));
  // By number: names sort only up to generation 9999. The last folder may belong to a generation still being made.
  for (const generation of folders.map(generationOfFolder).sort((a, b) => b - a)) {
    const found = await findManifest(store, runKey, generation);
    if (found) return found;
  }
  return null;
}

/** The committed manifest of one generation, or null. */
export async function findManifest(
  store: Store,
  runKey: string,
  generation: number,
): Promise<{ head: Head; manifest: Manifest } | null> {
  const key = keys.manifest(runKey, generation);
  const found = await store.find(key);
  if (!found) return null;
  const manifest = parseManifest(found.bytes, key);
  if (manifest.content.generation !== generation)
    throw new TypedFailure(
      'ArtifactCorrupt',
      `${key} is the manifest of generation ${manifest.content.generation}`,
    );
  return { head: { generation, hash: manifest.hash, manifest: found.ref }, manifest };
}

/**
 * All committed generations from 0 to the head, every link verified.
 *
 * @throws `ArtifactMissing` when a generation before the head has no manifest, `ArtifactCorrupt` when a manifest
 * does not name the one before it.
 */
export async function readChain(store: Store, runKey: string): Promise<Manifest[]> {
  const newest = await findHead(store, runKey);
  const chain: Manifest[] = [];
  const last = newest?.head.generation ?? -1;
  for (let first = 0; first <= last; first += concurrentReads) {
    const generations = Array.from(
      { length: Math.min(concurrentReads, last + 1 - first) },
      (_, i) => first + i,
    );
    const found = await Promise.all(generations.map((generation) => findManifest(store, runKey, generation)));
    for (const [index, link] of found.entries()) {
      const key = keys.manifest(runKey, first + index);
      if (!link)
        throw new TypedFailure(
          'ArtifactMissing',
          `${key} is not there, though generation ${last} is committed`,
        );
      const parent = chain.at(-1)?.hash ?? null;
      if (link.manifest.content.parent !== parent)
        throw new TypedFailure(
          'ArtifactCorrupt',
          `${key} names parent ${link.manifest.content.parent}, but the manifest before it is ${parent}`,
        );
      chain.push(link.manifest);
    }
  }
  return chain;
}

/** Every run with at least one committed generation, by runKey; from the store alone (invariant 6). */
export async function listRuns(store: Store): Promise<RunInStore[]> {
  const runs: RunInStore[] = [];
  for (const folder of await store.folders(runsFolder)) {
    const runKey = runKeyOfFolder(folder);
    const found = await findHead(store, runKey);
    if (found) runs.push({ runKey, ...found });
  }
  return runs;
}

/** The runKey of a name (its newest run) or of a runKey; null when the record has none. */
export async function findRunKey(store: Store, run: string): Promise<string | null> {
  const all = (await store.folders(runsFolder)).map(runKeyOfFolder);
  const named = all.filter((runKey) => runKey === run || nameOfRun(runKey) === run);
  const begun = await Promise.all(
    named.map(async (runKey) => ({
      runKey,
      at: (await findManifest(store, runKey, 0))?.manifest.observed.committedAt ?? '',
    })),
  );
  return begun.sort((one, other) => other.at.localeCompare(one.at))[0]?.runKey ?? null;
}

async function assertParent(
  store: Store,
  runKey: string,
  { generation, parent }: ManifestContent,
): Promise<void> {
  if (generation === 0) {
    if (parent !== null)
      throw new TypedFailure(
        'ParentNotHead',
        `Generation 0 of ${runKey} names parent ${short(parent)}; it has none.`,
      );
    return;
  }
  const before = await findManifest(store, runKey, generation - 1);
  if (before?.manifest.hash !== parent)
    throw new TypedFailure(
      'ParentNotHead',
      `Generation ${generation} of ${runKey} names parent ${short(parent)}, but generation ${generation - 1} is ${short(before?.manifest.hash ?? null)}. Read the head again.`,
    );
}

function parseManifest(bytes: Uint8Array, key: string): Manifest {
  const manifest = parseJson(bytes, Manifest, key);
  const hash = hashOf(manifest.content);
  if (hash !== manifest.hash)
    throw new TypedFailure(
      'ArtifactCorrupt',
      `${key} says its hash is ${manifest.hash}, but its content has ${hash}`,
    );
  return manifest;
}

function short(hash: string | null): string {
  return hash?.slice(0, 8) ?? 'nothing';
}
