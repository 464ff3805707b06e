import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { findHead } from '../../activities/artifacts/manifests.ts';
import { takeUp } from '../../client/takeUp.ts';
import type { RunConfig } from '../../workflows/contract/config.ts';
import { runKeyOf } from '../../workflows/contract/names.ts';
import { startRun, tinyConfig, until } from '../e2e/harness.ts';
import { connectQuickRuns } from './quickRuns.ts';

const runs = await connectQuickRuns();
const config: RunConfig = { ...tinyConfig, generations: 4 };
const everyOther = { ...config.evaluation, every: 2 };
const soon = { everyMs: 20, timeoutMs: 30_000 };

async function start(name: string, changes: Partial<RunConfig> = {}) {
  const id = `${name}-${process.pid}`;
  const handle = await startRun(runs.client, id, { ...config, ...changes });
  return { handle, id, runKey: runKeyOf(id, handle.firstExecutionRunId) };
}

const committed = (runKey: string, generation: number) =>
  until(
    `generation ${generation} is committed`,
    async () => (await findHead(runs.store, runKey).catch(() => null))?.head.generation === generation,
    soon,
  );

/** What a run that was taken up came to. */
async function outcomeOf(id: string) {
  const { status, head, evaluations } = await runs.client.workflow.getHandle(id).result();
  return {
    status,
    head: head.generation,
    evaluated: evaluations.map((one: { generation: number }) => one.generation),
  };
}

test('a run that ended between a generation and its evaluation makes up for it', async () => {
  const goOn = runs.hold('summarise', 2);
  const { handle, id, runKey } = await start('cut', { evaluation: everyOther });
  await committed(runKey, 2);
  await handle.terminate();
  goOn();
  const taken = await takeUp(runs.store, runs.temporal(), id);
  assert.deepEqual(taken, { runKey, generation: 2 });
  assert.deepEqual(await outcomeOf(id), { status: 'completed', head: 4, evaluated: [0, 2, 4] });
});

test('a last evaluation that failed is made when the run is taken up; then nothing is left to do', async () => {
  const goOn = runs.hold('summarise', 4);
  const { handle, id, runKey } = await start('unmeasured');
  await committed(runKey, 4);
  goOn(ApplicationFailure.nonRetryable('nobody can grade', 'GraderUnavailable'));
  await assert.rejects(handle.result());
  await takeUp(runs.store, runs.temporal(), id);
  assert.deepEqual(await outcomeOf(id), { status: 'completed', head: 4, evaluated: [0, 4] });
  await assert.rejects(takeUp(runs.store, runs.temporal(), id), /nothing left to do/);
});

test('a run that is not to be evaluated is done with its last generation', async () => {
  const { handle, id } = await start('plain', { evaluation: { ...config.evaluation, tasks: 0 } });
  await handle.result();
  await assert.rejects(takeUp(runs.store, runs.temporal(), id), /nothing left to do/);
});
