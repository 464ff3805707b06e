import assert from 'node:assert/strict';
import { test as limited } from 'node:test';
import { WorkflowUpdateStage } from '@temporalio/client';
import { ApplicationFailure, defaultPayloadConverter } from '@temporalio/common';
import { findHead } from '../../activities/artifacts/manifests.ts';
import { cancelRun, keptOf, steer } from '../../client/steering.ts';
import { takeUp } from '../../client/takeUp.ts';
import type { RunConfig } from '../../workflows/contract/config.ts';
import { runKeyOf } from '../../workflows/contract/names.ts';
import { progressOf, startRun, tinyConfig, until } from '../e2e/harness.ts';
import { connectQuickRuns } from './quickRuns.ts';

const runs = await connectQuickRuns();
const config: RunConfig = { ...tinyConfig, generations: 4 };
const everyOther = { ...config.evaluation, every: 2 };
const soon = { everyMs: 20, timeoutMs: 60_000 };
const begun: string[] = [];
/** What these tests look for are waits without an end. */
const test = (name: string, body: () => Promise<void>) => {
  void limited(name, { timeout: 90_000 }, (context) => {
    // A run whose test failed would take the steps that the next test holds.
    context.after(async () => {
      for (const id of begun.splice(0))
        await runs.client.workflow
          .getHandle(id)
          .terminate()
          .catch(() => {});
    });
    return body();
  });
};

async function start(name: string, changes: Partial<RunConfig> = {}) {
  const id = `${name}-${process.pid}`;
  const handle = await startRun(runs.client, id, { ...config, ...changes });
  begun.push(id);
  return { handle, id, runKey: runKeyOf(id, handle.firstExecutionRunId) };
}

const committed = (runKey: string, generation: number) =>
  until(
    `generation ${generation} is committed`,
    async () => (await findHead(runs.store, runKey).catch(() => null))?.head.generation === generation,
    soon,
  );

/** The run knows its generation, and will tell it what it is told. */
const atWork = (id: string, generation: number) =>
  until(
    `generation ${generation} is at work`,
    async () => (await progressOf(runs.client, id)).child === `${id}/gen-000${generation}`,
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

/** Runs whose steering is tested are long enough not to end by themselves. */
const long = { generations: 500 };

/** A run that is paused by hand while a step of its first generation is at work, which then ends. */
async function pausedDuring(step: 'update' | 'commit', name: string) {
  const goOn = runs.hold(step, 1);
  const started = await start(name, long);
  if (step === 'commit') await committed(started.runKey, 1);
  else await atWork(started.id, 1);
  await started.handle.executeUpdate('pause');
  goOn();
  return started;
}

const stop = (id: string, after?: number) => steer(runs.temporal(), id, 'stopAfterGeneration', after);

test('stop of a run that is paused in a generation: it makes this one and ends', async () => {
  const { id } = await pausedDuring('update', 'paused-in');
  const { status, message } = await stop(id);
  assert.equal(status, 'running');
  assert.equal(message, 'The run ends after generation 1 is committed; it is no longer paused.');
  assert.deepEqual(await outcomeOf(id), { status: 'stopped', head: 1, evaluated: [0, 1] });
});

test('stop of a run that is paused between generations: it is evaluated and ends', async () => {
  const { id } = await pausedDuring('commit', 'paused-between');
  await until(
    'no generation is at work',
    async () => {
      const { head, child } = await progressOf(runs.client, id);
      return head?.generation === 1 && child === null;
    },
    soon,
  );
  assert.equal((await stop(id)).message, 'The run ends after generation 1; it is no longer paused.');
  assert.deepEqual(await outcomeOf(id), { status: 'stopped', head: 1, evaluated: [0, 1] });
});

test('stop of a paused run after a later generation leaves it paused, and says so', async () => {
  const { handle, id } = await pausedDuring('update', 'paused-still');
  const { status, message } = await stop(id, 3);
  assert.equal(status, 'paused');
  assert.equal(message, 'The run ends after generation 3 is committed, once it is resumed.');
  await handle.executeUpdate('resume');
  assert.deepEqual(await outcomeOf(id), { status: 'stopped', head: 3, evaluated: [0, 3] });
});

test('what a run tells its generation arrives in the order it was told', async () => {
  const goOn = runs.hold('update', 1);
  const { handle, id } = await start('told', { generations: 1 });
  await atWork(id, 1);
  const told = Array.from({ length: 20 }, (_, time) => time % 2 === 0);
  for (const paused of told)
    await handle.startUpdate(paused ? 'pause' : 'resume', { waitForStage: WorkflowUpdateStage.ACCEPTED });
  const heard = async () => {
    const { events } = await runs.client.workflow.getHandle(`${id}/gen-0001`).fetchHistory();
    return (events ?? []).flatMap(({ workflowExecutionSignaledEventAttributes: signal }) =>
      signal ? [defaultPayloadConverter.fromPayload<boolean>(signal.input!.payloads![0]!)] : [],
    );
  };
  await until('all of it is heard', async () => (await heard()).length === told.length, soon);
  goOn();
  assert.deepEqual(await heard(), told);
  assert.deepEqual(await outcomeOf(id), { status: 'completed', head: 1, evaluated: [0, 1] });
});

test('stop of a run that paused by itself ends it; the alarm stays known', async () => {
  const guards = { ...config.guards, zeroRewardGenerations: 2 };
  const { handle, id } = await start('alarmed', { ...long, guards });
  await until('the run pauses', async () => (await progressOf(runs.client, id)).status === 'paused', soon);
  await stop(id);
  assert.deepEqual(await outcomeOf(id), { status: 'stopped', head: 2, evaluated: [0, 2] });
  assert.match((await handle.result()).alarm ?? '', /2 generations in a row/);
});

test('stop --now: the generation at work is lost, and that is what is said', async () => {
  const goOn = runs.hold('update', 2);
  const { id, runKey } = await start('cancelled', long);
  await atWork(id, 2);
  const ended = await cancelRun(runs.temporal(), id);
  goOn();
  assert.equal((await findHead(runs.store, runKey))?.head.generation, 1);
  assert.deepEqual(await keptOf(runs.store, ended), {
    status: 'stopped',
    generation: 1,
    message: 'Stopped after generation 1. Generation 2 was at work and is not kept.',
  });
});
