import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineSearchAttributeKey } from '@temporalio/common';
import { readChain } from '../../activities/artifacts/manifests.ts';
import { connectWithWorker, progressOf, startRun, tinyConfig, until } from './harness.ts';

const harness = await connectWithWorker();

const statusAttribute = defineSearchAttributeKey('ReiterateStatus', 'KEYWORD');

test('a run longer than one workflow execution continues as new, with one unbroken chain', async () => {
  const generations = 23;
  const handle = await startRun(harness.client, `long-${process.pid}`, {
    ...tinyConfig,
    generations,
    evaluation: { ...tinyConfig.evaluation, every: 10 },
  });
  const { firstExecutionRunId } = handle;
  const outcome = await handle.result();
  assert.equal(outcome.status, 'completed');
  assert.equal(outcome.rewards.length, generations);
  assert.equal(outcome.rewardsFrom, 1);
  assert.deepEqual(
    outcome.evaluations.map(({ generation }) => generation),
    [0, 10, 20, generations],
  );
  assert.ok(outcome.runKey.endsWith(firstExecutionRunId.slice(-8)));
  const { runId } = await harness.client.workflow.getHandle(handle.workflowId).describe();
  assert.notEqual(runId, firstExecutionRunId, 'a later execution finished the run');
  const statuses = async () => {
    const found = [];
    const query = `ReiterateRun = '${outcome.runKey}'`;
    for await (const { typedSearchAttributes } of harness.client.workflow.list({ query }))
      found.push(typedSearchAttributes.get(statusAttribute));
    return found.sort();
  };
  // What is listed follows what happened by a moment.
  await until(
    'one execution speaks for the run',
    async () => String(await statuses()) === String(['completed', 'continued']),
  );
  const chain = await readChain(harness.store, outcome.runKey);
  assert.deepEqual(
    chain.map(({ content }) => content.generation),
    Array.from({ length: generations + 1 }, (_, generation) => generation),
  );
});

test('a run whose numbers are past a guard pauses, says why, and goes on when it is told to', async () => {
  // A model of random weights earns nothing.
  const handle = await startRun(harness.client, `guarded-${process.pid}`, {
    ...tinyConfig,
    generations: 4,
    guards: { ...tinyConfig.guards, zeroRewardGenerations: 2 },
  });
  const progress = () => progressOf(harness.client, handle.workflowId);
  await until('the run pauses by itself', async () => (await progress()).status === 'paused');
  const paused = await progress();
  assert.match(paused.alarm ?? '', /^generation 2: .*2 generations in a row/);
  assert.deepEqual([paused.head?.generation, paused.child], [2, null]);
  await handle.executeUpdate('resume');
  // The alarm of the last generation holds nothing back.
  const { status, alarm, head } = await handle.result();
  assert.deepEqual([status, head?.generation], ['completed', 4]);
  assert.match(alarm ?? '', /^generation 4: .*4 generations in a row/);
});
