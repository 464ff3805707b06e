import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openDevice } from '../../../activities/policy/engine/device.ts';
import type { Blob, Device, SamplePrompt } from '../../../activities/policy/policy.ts';
import { keyOf, keyToHex } from '../../../activities/random.ts';
import { TypedFailure, type FailureType } from '../../../workflows/contract/failures.ts';
import { modelPath } from '../model.ts';
import { isAlive } from '../../processes.ts';

const path = await modelPath();
const open: Device[] = [];
const device = async (options: { path?: string; silenceTimeoutMs?: number } = {}) => {
  const { path: chosen = path, ...rest } = options;
  const opened = await openDevice({ modelPath: chosen, threads: 2, ...rest });
  open.push(opened);
  return opened;
};
after(() => Promise.all(open.map((each) => each.close())));

const prompts: SamplePrompt[] = [
  [504, 3575, 282, 4649, 314],
  [28, 216, 33, 1232, 216, 34, 446],
].map((tokenIds, index) => ({
  tokenIds,
  keys: [0, 1, 2].map((rollout) => keyToHex(keyOf(['device test', index, rollout]))),
}));
const options = { maxNewTokens: 24, temperature: 1, topK: null, topP: null, stopStrings: [] };

const failsWith = (type: FailureType, pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof TypedFailure, String(error));
  assert.equal(error.type, type);
  assert.match(error.message, pattern);
  return true;
};

/** Starts a long generate and comes back when it is sampling; `result` is how it ends. */
async function underWay(engine: Device, signal?: AbortSignal) {
  let result: Promise<unknown> = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    result = engine.generate(
      null,
      prompts,
      { ...options, maxNewTokens: 400 },
      { signal, onProgress: ({ phase, tokens }) => phase === 'sample' && tokens > 6 && resolve() },
    );
    result.catch(reject);
  });
  return { result };
}

test('a missing model is ModelUnavailable, again and again', async () => {
  const engine = await device({ path: '/nowhere/model.gguf' });
  for (let i = 0; i < 2; i++)
    await assert.rejects(engine.model(), failsWith('ModelUnavailable', /\/nowhere\/model\.gguf/));
});

test('results are not held on to: a worker that serves many calls does not grow', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const engine = await device({
    path: fileURLToPath(new URL('../../fixtures/policy/families/qwen2-untied', import.meta.url)),
  });
  const results: WeakRef<object>[] = [];
  const call = async (index: number) => {
    results.push(new WeakRef(await engine.initialPolicy(null, keyToHex(keyOf(['held', index])))));
  };
  for (let index = 0; index < 4; index++) await call(index);
  await engine.model();
  // A turn of the event loop ends what WeakRefs themselves keep alive.
  await sleep(50);
  collect();
  collect();
  assert.deepEqual(
    results.map((result) => result.deref() === undefined),
    [true, true, true, true],
  );
});

test('a Hugging Face folder is a model, too', async () => {
  const folder = fileURLToPath(new URL('../../fixtures/policy/families/qwen2-untied', import.meta.url));
  const engine = await device({ path: folder });
  const { name, vocabulary, contextLength } = await engine.model();
  assert.deepEqual([name, vocabulary, contextLength], ['qwen2-untied', 336, 256]);
  const fitting = prompts.map(({ keys }, index) => ({ tokenIds: [index + 1, 7, 9], keys }));
  const groups = await engine.generate(null, fitting, options);
  assert.ok(groups.flat().every(({ tokenIds }) => tokenIds.length > 0));
});

test('one engine: blobs, abort, queue and kill -9, each followed by an undisturbed call', async (t) => {
  const engine = await device();
  const undisturbed = await engine.generate(null, prompts, options);

  await t.test('what is asked for comes back, in order', async () => {
    assert.deepEqual(
      undisturbed.map((group) => group.length),
      [3, 3],
    );
    for (const { tokenIds, logProbs, finishReason } of undisturbed.flat()) {
      assert.equal(tokenIds.length, logProbs.length);
      assert.ok(logProbs.every((logProb) => logProb <= 0 && Number.isFinite(logProb)));
      assert.equal(finishReason === 'length', tokenIds.length === options.maxNewTokens);
    }
    assert.equal(new Set(undisturbed.flat().map(({ tokenIds }) => tokenIds.join())).size, 6);
  });

  await t.test('bytes that are not the promised ones are refused; what `load` throws comes out', async () => {
    const wrong: Blob = { sha256: 'a'.repeat(64), load: async () => Uint8Array.of(1, 2, 3) };
    await assert.rejects(engine.generate(wrong, prompts, options), failsWith('ArtifactCorrupt', /aaaa/));
    const missing = new TypedFailure('ArtifactMissing', 'policy 7 is gone');
    const lost: Blob = { sha256: 'b'.repeat(64), load: () => Promise.reject(missing) };
    await assert.rejects(engine.generate(lost, prompts, options), (error) => error === missing);
  });

  await t.test('a prompt without room for its answer is refused', async () => {
    const long = [{ tokenIds: new Array<number>(8180).fill(5), keys: prompts[0]!.keys }];
    await assert.rejects(
      engine.generate(null, long, options),
      failsWith('InvalidRunConfig', /prompt 0 has 8180 tokens.*8192/),
    );
  });

  await t.test('an abort rejects with its reason, at work and in the queue', async () => {
    const reason = new Error('enough');
    const atWork = new AbortController();
    const { result } = await underWay(engine, atWork.signal);
    const queued = new AbortController();
    const waiting = engine.generate(null, prompts, options, { signal: queued.signal });
    queued.abort(reason);
    await assert.rejects(waiting, (error) => error === reason);
    atWork.abort(reason);
    await assert.rejects(result, (error) => error === reason);
    assert.deepEqual(await engine.generate(null, prompts, options), undisturbed);
  });

  await t.test('kill -9 is EngineCrashed; the next call starts a new process', async () => {
    const { result } = await underWay(engine);
    const before = engine.processId();
    process.kill(before!, 'SIGKILL');
    await assert.rejects(result, failsWith('EngineCrashed', /SIGKILL \(possibly out of memory\)/));
    assert.equal(engine.processId(), null);
    assert.deepEqual(await engine.generate(null, prompts, options), undisturbed);
    assert.notEqual(engine.processId(), before);
  });

  await t.test('close ends the process and what waits', async () => {
    const { result } = await underWay(engine);
    const pid = engine.processId()!;
    await Promise.all([assert.rejects(result, failsWith('WorkerStopping', /closed/)), engine.close()]);
    assert.equal(isAlive(pid), false);
    await assert.rejects(engine.model(), failsWith('WorkerStopping', /closed/));
  });
});

test('silence of 8 s in a step', async (t) => {
  const engine = await device({ silenceTimeoutMs: 8000 });
  await engine.generate(null, prompts, options);

  await t.test('a process that stands still is killed and named', async () => {
    const { result } = await underWay(engine);
    const stopped = engine.processId()!;
    process.kill(stopped, 'SIGSTOP');
    await assert.rejects(result, failsWith('EngineSilent', /no progress for 8 s in phase 'sample'/));
    assert.equal(isAlive(stopped), false);
    assert.equal((await engine.model()).vocabulary, 49152);
  });

  await t.test('a process that spoke in time stays, also when nobody had the time to listen', async () => {
    const { result } = await underWay(engine);
    const spoke = engine.processId();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 8_500);
    await result;
    assert.equal(engine.processId(), spoke);
  });
});

test('the engine ends with its parent, which any TypeScript loader may have started', async () => {
  const parent = spawn(
    process.execPath,
    ['--import', 'tsx', fileURLToPath(new URL('./parent.ts', import.meta.url)), path],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
  const pid = Number(line);
  assert.ok(isAlive(pid));
  parent.kill('SIGKILL');
  while (isAlive(pid)) await sleep(50);
});
