import assert from 'node:assert/strict';
import { test } from 'node:test';
import { continuationOf } from '../activities/continuation.ts';
import { canonicalBytes, sha256 } from '../activities/artifacts/canonical.ts';
import { keys } from '../activities/artifacts/keys.ts';
import type { GenerationMetrics } from '../activities/artifacts/manifest.ts';
import { buildManifest } from '../activities/artifacts/manifests.ts';
import { assertSmall } from '../activities/artifacts/payload.ts';
import type { Store } from '../activities/artifacts/store.ts';
import { keptEvaluations } from '../workflows/contract/progress.ts';
import type { Head } from '../workflows/contract/ref.ts';
import { content, evaluationSummary, observed } from './artifacts/made.ts';

const runKey = 'long@1a2b3c4d';
/** As many digits as a number between 0 and 1 has in JSON. */
const long = 0.012345678901234567;

/** A run's record in memory. */
function recordOf(generations: number, evaluated: readonly number[], depth: number) {
  const objects = new Map<string, Uint8Array>();
  const refOf = (key: string, bytes: Uint8Array) => ({ key, sha256: sha256(bytes), bytes: bytes.length });
  const put = (key: string, value: unknown) => {
    objects.set(key, canonicalBytes(value));
    return refOf(key, objects.get(key)!);
  };
  const heads: Head[] = [];
  for (let generation = 0; generation <= generations; generation++) {
    const made = buildManifest(
      { ...content(generation, heads.at(-1)?.hash ?? null), metrics: generation === 0 ? null : metrics },
      observed(runKey),
    );
    heads.push({ generation, hash: made.hash, manifest: put(keys.manifest(runKey, generation), made) });
  }
  const accuracies = Array.from({ length: depth + 1 }, () => long);
  for (const generation of evaluated)
    put(keys.evaluationSummary(runKey, generation), evaluationSummary(generation, accuracies));
  const unused = () => Promise.reject(new Error('only read'));
  const store: Store = {
    ...{ put: unused, putOnce: unused, overwrite: unused, read: unused, list: unused, check: unused },
    find: async (key) => {
      const bytes = objects.get(key);
      return bytes ? { bytes, ref: refOf(key, bytes) } : null;
    },
    folders: async (prefix) =>
      [
        ...new Set(
          [...objects.keys()]
            .filter((key) => key.startsWith(prefix))
            .map((key) => `${prefix}${key.slice(prefix.length).split('/')[0]}/`),
        ),
      ].sort(),
  };
  return { store, heads, head: heads.at(-1)! };
}

const metrics: GenerationMetrics = {
  meanReward: long,
  meanQuality: 0,
  byStep: {},
  groupsWithSignal: 0,
  bufferSize: 0,
  bufferMeanDepth: 0,
  bufferMaxDepth: 0,
  bufferMeanScore: 0,
  selection: {},
  meanDiversity: null,
  truncated: 0,
  promptTokens: 0,
  completionTokens: 0,
  update: null,
};

const upTo = (last: number) => Array.from({ length: last + 1 }, (_, generation) => generation);

test('what a run goes on with: the evaluation of the untrained policy, then the newest, by number', async () => {
  const { store, head } = recordOf(1000, [...upTo(300), 999, 1000], 0);
  const { evaluations } = await continuationOf(store, runKey, head);
  assert.deepEqual([evaluations?.length, evaluations?.[0]?.generation], [200, 0]);
  assert.deepEqual(
    evaluations?.slice(-3).map(({ generation }) => generation),
    [300, 999, 1000],
  );
});

test('it does not count what was committed after the head was read', async () => {
  const { store, heads } = recordOf(3, [0, 1, 2, 3], 0);
  const { rewards, evaluations, head } = await continuationOf(store, runKey, heads[2]!);
  assert.deepEqual([head?.generation, rewards?.length], [2, 2]);
  assert.deepEqual(
    evaluations?.map(({ generation }) => generation),
    [0, 1, 2],
  );
});

for (const depth of [0, 5, 16, 64])
  test(`it may travel, however long the run was, at K = ${depth}`, async () => {
    const { store, head } = recordOf(1010, upTo(250), depth);
    const continuation = await continuationOf(store, runKey, head);
    assertSmall(continuation, 'what the run goes on with');
    assert.equal(continuation.rewards?.length, 1000);
    const generations = continuation.evaluations?.map(({ generation }) => generation) ?? [];
    assert.ok(generations.length >= 18, String(generations.length));
    assert.deepEqual(generations, [0, ...upTo(250).slice(1 - generations.length)]);
  });

test('a run that has not been evaluated keeps no evaluation', () => {
  assert.deepEqual(keptEvaluations([]), []);
});
