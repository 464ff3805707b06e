import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { after, before, test } from 'node:test';
import { readChain } from '../../activities/artifacts/manifests.ts';
import { limitMemory } from '../policy/limitMemory.ts';
import {
  connectHarness,
  end,
  engineBelow,
  smallConfig,
  runInTheMiddle,
  scheduledIn,
  startRun,
  startWorkerProcess,
  until,
} from './harness.ts';

// At the top level, so that services started for this file alone live until its end.
const harness = await connectHarness();
let worker: ChildProcess;
let undisturbed: string[];

const config = { ...smallConfig, evaluation: { ...smallConfig.evaluation, tasks: 0 } };

async function hashesOf(runKey: string): Promise<string[]> {
  return (await readChain(harness.store, runKey)).map(({ hash }) => hash);
}

before(async () => {
  worker = await startWorkerProcess();
  const handle = await startRun(harness.client, `undisturbed-${process.pid}`, config);
  undisturbed = await hashesOf((await handle.result()).runKey);
  assert.equal(undisturbed.length, config.generations + 1);
});

after(async () => {
  await end(worker, 'SIGTERM');
  await harness.close();
});

for (const step of ['iterate-1', 'update'])
  test(`kill -9 of the worker in the middle of ${step}: same manifest hashes`, async () => {
    const handle = await runInTheMiddle(harness.client, `worker-killed-${step}`, config, `g1-${step}`);
    await end(worker, 'SIGKILL');
    worker = await startWorkerProcess();
    assert.deepEqual(await hashesOf((await handle.result()).runKey), undisturbed);
  });

for (const step of ['iterate-1', 'update'])
  test(`kill -9 of the engine in the middle of ${step}: same manifest hashes`, async () => {
    const handle = await runInTheMiddle(harness.client, `engine-killed-${step}`, config, `g1-${step}`);
    const engine = engineBelow(worker.pid!);
    assert.ok(engine, 'the engine runs below the worker');
    process.kill(engine, 'SIGKILL');
    assert.deepEqual(await hashesOf((await handle.result()).runKey), undisturbed);
  });

test('an engine that runs out of memory in an update: same manifest hashes', async (t) => {
  if (process.platform !== 'linux') return t.skip('only Linux limits the memory of a running process');
  // A fresh engine, since one that has trained before has the memory for it already.
  await end(worker, 'SIGTERM');
  worker = await startWorkerProcess();
  const id = `engine-out-of-memory-${process.pid}`;
  const handle = await startRun(harness.client, id, config);
  const generation = `${id}/gen-0001`;
  // Before the update, while the engine is at nothing: what it has for the update it must then ask for.
  await until(
    'the engine has sampled all',
    async () => (await scheduledIn(harness.client, generation)).includes('g1-score'),
    { everyMs: 20 },
  );
  await limitMemory(engineBelow(worker.pid!)!, 0);
  assert.deepEqual(await hashesOf((await handle.result()).runKey), undisturbed);
  const { events } = await harness.client.workflow.getHandle(generation).fetchHistory();
  const update = events?.find(
    ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityId === 'g1-update',
  );
  const failures = events?.flatMap(({ activityTaskStartedEventAttributes: started }) =>
    started?.lastFailure && String(started.scheduledEventId) === String(update?.eventId)
      ? [started.lastFailure.applicationFailureInfo?.type]
      : [],
  );
  assert.deepEqual(failures, ['EngineOutOfMemory']);
});

test('SIGTERM of the worker hands its step to the next worker: same manifest hashes', async () => {
  const handle = await runInTheMiddle(harness.client, 'worker-stopped', config, 'g1-iterate-1');
  await end(worker, 'SIGTERM');
  worker = await startWorkerProcess();
  assert.deepEqual(await hashesOf((await handle.result()).runKey), undisturbed);
});

test('another seed gives another history', async () => {
  const handle = await startRun(harness.client, `other-seed-${process.pid}`, {
    ...config,
    seed: 4,
    generations: 1,
  });
  const hashes = await hashesOf((await handle.result()).runKey);
  assert.notEqual(hashes[1], undisturbed[1]);
});
