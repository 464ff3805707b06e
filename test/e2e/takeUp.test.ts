import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { after, before, test } from 'node:test';
import { findHead, readChain } from '../../activities/artifacts/manifests.ts';
import { takeUp } from '../../client/takeUp.ts';
import { connectTemporal, type Temporal } from '../../client/temporal.ts';
import type { RunProgress } from '../../workflows/contract/progress.ts';
import { connectHarness, end, startRun, startWorkerProcess, tinyConfig, until } from './harness.ts';

const harness = await connectHarness();
let worker: ChildProcess;
let temporal: Temporal;

before(async () => {
  worker = await startWorkerProcess();
  temporal = await connectTemporal(harness.services.temporal);
});

after(async () => {
  await end(worker, 'SIGTERM');
  await temporal.close();
  await harness.close();
});

const config = { ...tinyConfig, generations: 6, evaluation: { ...tinyConfig.evaluation, every: 3 } };

test('a run that was terminated goes on from its newest generation, to the same hashes', async () => {
  const undisturbed = await (await startRun(harness.client, `whole-${process.pid}`, config)).result();

  const id = `broken-${process.pid}`;
  const handle = await startRun(harness.client, id, config);
  const runKey = `${id}@${handle.firstExecutionRunId.slice(-8)}`;
  // Something is left to do, however late it is terminated.
  await handle.executeUpdate('stopAfterGeneration', { args: [3] });
  await until(
    'a generation is committed',
    async () => {
      const found = await findHead(harness.store, runKey).catch(() => null);
      return (found?.head.generation ?? 0) >= 2;
    },
    { everyMs: 20 },
  );
  await handle.terminate('to see whether the run can be taken up').catch(() => {});
  const taken = await takeUp(harness.store, temporal, id);
  assert.equal(taken.runKey, runKey);
  assert.ok(taken.generation >= 2 && taken.generation <= 3, String(taken.generation));

  const outcome = (await harness.client.workflow.getHandle(id).result()) as RunProgress;
  assert.equal(outcome.status, 'completed');
  assert.equal(outcome.runKey, runKey);
  assert.deepEqual(outcome.rewards, undisturbed.rewards);
  assert.deepEqual(outcome.evaluations, undisturbed.evaluations);
  const hashes = async (key: string) => (await readChain(harness.store, key)).map(({ hash }) => hash);
  assert.deepEqual(await hashes(runKey), await hashes(undisturbed.runKey));

  await assert.rejects(takeUp(harness.store, temporal, id), /nothing left to do/);
});

test('a run that is not in the record cannot be taken up', async () => {
  await assert.rejects(takeUp(harness.store, temporal, 'never-started'), /No run 'never-started'/);
});
