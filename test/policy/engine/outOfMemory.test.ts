import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openDevice } from '../../../activities/policy/engine/device.ts';
import type { Device } from '../../../activities/policy/policy.ts';
import { keyOf, keyToHex } from '../../../activities/random.ts';
import { failures, TypedFailure } from '../../../workflows/contract/failures.ts';
import { limitMemory } from '../limitMemory.ts';
import { modelPath } from '../model.ts';

const engine = await openDevice({ modelPath: await modelPath(), threads: 2 });
after(() => engine.close());

const keys = (count: number) => Array.from({ length: count }, (_, i) => keyToHex(keyOf(['memory test', i])));
const options = { maxNewTokens: 8, temperature: 1, topK: null, topP: null, stopStrings: [] };
const sample = (device: Device) =>
  device.generate(null, [{ tokenIds: [504, 3575, 282], keys: keys(2) }], options);
const spareMiB = 100;
const undisturbed = await sample(engine);
/** The engine has given back what its last call needed: it does so before the next. */
const tidied = () => engine.model();

const onLinux = { skip: process.platform !== 'linux' && 'only Linux limits the memory of a running process' };

const outOfMemory = (said: RegExp) => (error: unknown) => {
  assert.ok(error instanceof TypedFailure, String(error));
  assert.equal(error.type, 'EngineOutOfMemory');
  assert.ok(failures[error.type].retryable);
  assert.match(error.message, /lower training\.tokensPerMicroBatch/);
  assert.match(error.message, said);
  return true;
};

test(
  'ONNX Runtime without memory is EngineOutOfMemory; the next call starts a new process',
  onLinux,
  async () => {
    await tidied();
    await limitMemory(engine.processId()!, spareMiB);
    const long = engine.logProbs(null, [new Array<number>(3000).fill(9)]);
    await assert.rejects(long, outOfMemory(/Failed to allocate memory for requested buffer/));
    assert.equal(engine.processId(), null);
    assert.deepEqual(await sample(engine), undisturbed);
  },
);

test('so is V8 without memory for a cache', onLinux, async () => {
  await tidied();
  await limitMemory(engine.processId()!, spareMiB);
  const many = [{ tokenIds: [504], keys: keys(64) }];
  const large = engine.generate(null, many, { ...options, maxNewTokens: 500 });
  // Somebody else may be the first to find none.
  const said =
    /Array buffer allocation failed|(heap|process) out of memory|Failed to allocate memory|bad_alloc|pthread_create failed/;
  await assert.rejects(large, outOfMemory(said));
  assert.deepEqual(await sample(engine), undisturbed);
});

test('so is a full heap, of which V8 dies', async () => {
  process.env['NODE_OPTIONS'] = '--max-old-space-size=64';
  const cramped = await openDevice({ modelPath: await modelPath(), threads: 2 });
  after(() => cramped.close());
  await cramped.model();
  delete process.env['NODE_OPTIONS'];
  const sequences = Array.from({ length: 1000 }, () => new Array<number>(8000).fill(9));
  const large = cramped.logProbs(null, sequences);
  await assert.rejects(large, outOfMemory(/SIGABRT[^]*JavaScript heap out of memory/));
  assert.deepEqual(await sample(cramped), undisturbed);
});
