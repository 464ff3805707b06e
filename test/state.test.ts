import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashOf, sha256 } from '../activities/artifacts/canonical.ts';
import { ManifestContent } from '../activities/artifacts/manifest.ts';
import type { Device } from '../activities/policy/policy.ts';
import { assertEmbedder, type State } from '../activities/state.ts';

const [one, other] = [sha256('one'), sha256('other')];

test('what a worker embeds with must be what the run began with', async () => {
  const check = (here: string | null, began: string | undefined) => {
    const device = { embedder: async () => here } as Partial<Device> as Device;
    const state = { manifest: { content: { embedder: began } } } as State;
    return assertEmbedder(device, { name: 'sentence', folder: '/models/mine' }, state);
  };
  await check(one, one);
  await check(null, undefined);
  const name = 'EmbedderUnavailable';
  await assert.rejects(check(other, one), {
    name,
    message: new RegExp(`in /models/mine, has sha256 ${other}; the run began with ${one}\\. Put that one`),
  });
  await assert.rejects(check(one, undefined), { name });
  await assert.rejects(check(null, one), { name });
});

test('a manifest without an embedder of its own has no such key, so its hash is what it was', () => {
  const content = {
    ...{ schema: 2, generation: 0, parent: null, configHash: one, seed: 1, model: one, policy: one },
    ...{ optimizer: null, reference: null, curriculum: one, plan: null, rollouts: [], graded: [] },
    ...{ embeddings: [], groups: null, metrics: null, conservation: null, changes: [] },
  };
  assert.equal(hashOf(ManifestContent.parse(content)), hashOf(content));
  assert.notEqual(hashOf(ManifestContent.parse({ ...content, embedder: other })), hashOf(content));
  assert.throws(() => ManifestContent.parse({ ...content, embedder: null }));
});
