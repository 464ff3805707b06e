import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { legibleBytes } from '../../activities/artifacts/canonical.ts';
import { keys } from '../../activities/artifacts/keys.ts';
import type { ManifestContent } from '../../activities/artifacts/manifest.ts';
import {
  buildManifest,
  commitManifest,
  findHead,
  listRuns,
  readChain,
  readManifest,
} from '../../activities/artifacts/manifests.ts';
import { connectStore } from '../../activities/artifacts/minioStore.ts';
import type { Head } from '../../workflows/contract/ref.ts';
import { testServices } from '../services.ts';
import { content, observed } from './made.ts';

const store = connectStore((await testServices()).store);
const newRun = () => `manifests ${randomUUID()}@1a2b3c4d`;

async function commitChain(runKey: string, generations: number): Promise<Head[]> {
  const heads: Head[] = [];
  for (let generation = 0; generation < generations; generation++) {
    const parent = heads.at(-1)?.hash ?? null;
    heads.push(await commitManifest(store, runKey, content(generation, parent), observed(runKey)));
  }
  return heads;
}

test('the hash is of what the run is, not of what happened to it', () => {
  const here = buildManifest(content(0, null), observed('a@1'));
  const there = buildManifest(content(0, null), {
    ...observed('b@2', 'elsewhere'),
    seconds: { iterate: 9 },
    peakResidentBytes: 2 ** 31,
  });
  assert.equal(here.hash, there.hash);
  assert.notEqual(here.hash, buildManifest(content(0, null, 2), observed('a@1')).hash);
});

test('a chain is committed, read back, and found by its head alone', async () => {
  const runKey = newRun();
  assert.equal(await findHead(store, runKey), null);
  assert.deepEqual(await readChain(store, runKey), []);
  const heads = await commitChain(runKey, 20);
  const chain = await readChain(store, runKey);
  assert.deepEqual(
    chain.map(({ hash, content: { generation, parent } }) => ({ hash, generation, parent })),
    heads.map(({ hash }, generation) => ({ hash, generation, parent: heads[generation - 1]?.hash ?? null })),
  );
  // What a generation in the making leaves behind is not a head.
  await store.put(keys.groups(runKey, 20), new Uint8Array(3), 'application/octet-stream');
  const found = await findHead(store, runKey);
  assert.deepEqual(found?.head, heads[19]);
  assert.deepEqual(await readManifest(store, heads[19]!), found?.manifest);
  const listed = (await listRuns(store)).find((run) => run.runKey === runKey);
  assert.deepEqual(listed, { runKey, ...found });
});

test('a manifest is an indented text that people can read', async () => {
  const runKey = newRun();
  const [head] = await commitChain(runKey, 1);
  const text = new TextDecoder().decode(await store.read(head!.manifest));
  assert.match(text, /^\{\n {2}"content": \{\n {4}"changes": \[\],/);
});

test('committing again returns the first head, whatever was observed the second time', async () => {
  const runKey = newRun();
  const [first] = await commitChain(runKey, 2);
  assert.deepEqual(
    await commitManifest(store, runKey, content(0, null), observed(runKey, 'elsewhere')),
    first,
  );
  const simultaneous = await Promise.all(
    Array.from({ length: 8 }, (_, host) =>
      commitManifest(store, runKey, content(1, first!.hash), observed(runKey, `host ${host}`)),
    ),
  );
  for (const head of simultaneous) assert.deepEqual(head, simultaneous[0]);
});

test('a manifest whose parent is not the head is refused and not written', async () => {
  const runKey = newRun();
  const heads = await commitChain(runKey, 3);
  const refused = (manifest: ManifestContent, message: RegExp) =>
    assert.rejects(commitManifest(store, runKey, manifest, observed(runKey)), {
      name: 'ParentNotHead',
      message,
    });
  await refused(content(3, heads[1]!.hash), /generation 2 is/);
  await refused(content(3, null), /names parent nothing/);
  await refused(content(4, heads[2]!.hash), /generation 3 is nothing/);
  await refused(content(0, heads[2]!.hash), /it has none/);
  await refused(content(2, heads[1]!.hash, 2), /already committed/);
  await refused(content(1, heads[0]!.hash, 2), /already committed/);
  assert.deepEqual((await findHead(store, runKey))?.head, heads[2]);
  assert.equal((await readChain(store, runKey)).length, 3);
});

test('of executions that commit different contents at once one wins, the others are told', async () => {
  const runKey = newRun();
  const [head] = await commitChain(runKey, 1);
  const settled = await Promise.allSettled(
    Array.from({ length: 6 }, (_, seed) =>
      commitManifest(store, runKey, content(1, head!.hash, seed), observed(runKey)),
    ),
  );
  const failed = settled.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []));
  assert.deepEqual(
    failed.map(({ name }) => name),
    Array(5).fill('ParentNotHead'),
  );
});

test('broken chains are found', async () => {
  const broken = newRun();
  const heads = await commitChain(broken, 3);
  const replaceWith = (text: Uint8Array) => store.overwrite(heads[1]!.manifest.key, text, 'application/json');

  // Another, well-formed generation 1: the link from generation 2 no longer holds.
  await replaceWith(legibleBytes(buildManifest(content(1, heads[0]!.hash, 2), observed(broken))));
  await assert.rejects(readChain(store, broken), { name: 'ArtifactCorrupt', message: /0002.*names parent/ });
  await assert.rejects(readManifest(store, heads[1]!), { name: 'ArtifactCorrupt' });

  // Content changed, hash kept.
  const manifest = buildManifest(content(1, heads[0]!.hash), observed(broken));
  await replaceWith(legibleBytes({ ...manifest, content: { ...manifest.content, seed: 99 } }));
  await assert.rejects(readChain(store, broken), { name: 'ArtifactCorrupt', message: /its content has/ });

  // The manifest of another generation.
  await replaceWith(legibleBytes(buildManifest(content(5, heads[0]!.hash), observed(broken))));
  await assert.rejects(readChain(store, broken), { name: 'ArtifactCorrupt', message: /generation 5/ });

  await replaceWith(new TextEncoder().encode('{}'));
  await assert.rejects(readChain(store, broken), { name: 'ArtifactCorrupt', message: /unknown shape/ });

  const gap = newRun();
  await commitChain(gap, 1);
  const orphan = buildManifest(content(2, heads[1]!.hash), observed(gap));
  await store.put(keys.manifest(gap, 2), legibleBytes(orphan), 'application/json');
  await assert.rejects(readChain(store, gap), { name: 'ArtifactMissing', message: /0001\/manifest\.json/ });
});
