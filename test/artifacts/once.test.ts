import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { z } from 'zod';
import { once } from '../../activities/artifacts/once.ts';
import { connectStore } from '../../activities/artifacts/minioStore.ts';
import { Ref } from '../../workflows/contract/ref.ts';
import { testServices } from '../services.ts';

const store = connectStore((await testServices()).store);
const folder = `test-once/${randomUUID()}/`;
const Result = z.strictObject({ artifact: Ref, tokens: z.int() });
const put = (name: string, text: string) =>
  store.put(`${folder}${name}`, new TextEncoder().encode(text), 'text/plain');

test('work is done once; a repeated step returns what was committed', async () => {
  let worked = 0;
  const step = () =>
    once(store, `${folder}steps/a.json`, { head: 'h', shard: 0 }, Result, async () => {
      worked++;
      return { artifact: await put('a', 'rollouts'), tokens: worked };
    });
  const first = await step();
  assert.deepEqual(await step(), first);
  assert.equal(worked, 1);
});

test('two attempts at the same time agree on one result', async () => {
  const attempts = 8;
  let worked = 0;
  let allWork = () => {};
  const everybody = new Promise<void>((resolve) => (allWork = resolve));
  const attempt = () =>
    once(store, `${folder}steps/race.json`, ['h'], z.strictObject({ attempt: z.int() }), async () => {
      const own = ++worked;
      if (own === attempts) allWork();
      await everybody;
      return { attempt: own };
    });
  const results = await Promise.all(Array.from({ length: attempts }, attempt));
  for (const result of results) assert.deepEqual(result, results[0]);
});

test('other inputs are a conflict, and no work is done', async () => {
  const key = `${folder}steps/inputs.json`;
  await once(store, key, { head: 'one' }, z.int(), () => Promise.resolve(1));
  await assert.rejects(
    once(store, key, { head: 'two' }, z.int(), () => assert.fail('worked')),
    { name: 'ArtifactConflict', message: /committed from other inputs .* under another name\.$/ },
  );
});

test('of two attempts with different inputs at the same time one is a conflict', async () => {
  const key = `${folder}steps/inputs-race.json`;
  const settled = await Promise.allSettled(
    [1, 2].map((input) => once(store, key, input, z.int(), () => Promise.resolve(input))),
  );
  assert.deepEqual(settled.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
});

test('work that fails commits nothing and is done again', async () => {
  const key = `${folder}steps/fails.json`;
  await assert.rejects(
    once(store, key, null, z.int(), () => Promise.reject(new Error('engine died'))),
    /engine died/,
  );
  assert.equal(await once(store, key, null, z.int(), () => Promise.resolve(7)), 7);
});

test('an attempt that died before it committed, having made other bytes, does not end the step', async () => {
  const key = `${folder}steps/half.json`;
  const Pair = z.strictObject({ policy: Ref, optimizer: Ref });
  await assert.rejects(
    once(store, key, null, Pair, async () => {
      await put('half/policy.bin', 'policy of the first attempt');
      throw new Error('worker died');
    }),
  );
  const { policy, optimizer } = await once(store, key, null, Pair, async () => ({
    policy: await put('half/policy.bin', 'policy of the second attempt'),
    optimizer: await put('half/optimizer.bin', 'optimizer of the second attempt'),
  }));
  for (const [ref, text] of [
    [policy, 'policy of the second attempt'],
    [optimizer, 'optimizer of the second attempt'],
  ] as const)
    assert.equal(new TextDecoder().decode(await store.read(ref)), text);
});

test('a committed result is only returned when what it names is still there, unchanged', async () => {
  const step = (name: string) =>
    once(store, `${folder}steps/${name}.json`, null, Result, async () => ({
      artifact: await put(name, 'good bytes'),
      tokens: 1,
    }));
  const { artifact } = await step('damaged');
  await store.overwrite(artifact.key, new TextEncoder().encode('other bytes'), 'text/plain');
  await assert.rejects(step('damaged'), { name: 'ArtifactCorrupt' });

  const missing = { key: `${folder}never-written`, sha256: artifact.sha256, bytes: artifact.bytes };
  const careless = () =>
    once(store, `${folder}steps/careless.json`, null, z.array(Result), () =>
      Promise.resolve([{ artifact: missing, tokens: 0 }]),
    );
  await assert.rejects(careless(), { name: 'ArtifactMissing' });
});

test('a result that does not fit its schema is not committed', async () => {
  const key = `${folder}steps/shape.json`;
  await assert.rejects(
    once(store, key, null, z.strictObject({ reward: z.number() }), () => Promise.resolve({ reward: NaN })),
    { name: 'ArtifactInvalid', message: /reward is NaN/ },
  );
  assert.equal(await store.find(key), null);
});
