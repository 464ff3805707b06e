import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AblationTable } from '../../activities/artifacts/ablation.ts';
import { parseJson } from '../../activities/artifacts/canonical.ts';
import { findHead } from '../../activities/artifacts/manifests.ts';
import type { AblationResult } from '../../workflows/contract/ablation.ts';
import { taskQueues } from '../../workflows/contract/names.ts';
import { connectWithWorker, startRun, tinyConfig } from './harness.ts';

const harness = await connectWithWorker();
const { store, client } = harness;
const id = `ablated-${process.pid}`;

const base = { ...tinyConfig, generations: 1, evaluation: { ...tinyConfig.evaluation, tasks: 0 } };
const input = {
  base,
  // The first, with which others are compared and the untrained policy comes, is the one that fails.
  arms: { gone: { 'domain.trainTasks': 4000 }, slow: {}, fast: { 'training.learningRate': 0.01 } },
  seeds: [1, 2],
  concurrency: 2,
  evaluation: {
    sets: { own: null, sums: { ...base.domain, families: { addOne: 1 } } },
    depth: 0,
    tasks: 4,
    samplesPerTask: 2,
  },
};

test('arms × seeds end in one table; a run there is already is taken up, one that fails leaves the others alone', async () => {
  // Made by hand, under the name that the ablation gives it.
  const byHand = await (await startRun(client, `${id}-slow-1`, { ...base, seed: 1 })).result();
  const execute = () =>
    client.workflow.execute<(input: unknown) => Promise<AblationResult>>('ablation', {
      taskQueue: taskQueues.run,
      workflowId: id,
      args: [input],
    });
  const result = await execute();
  assert.deepEqual(
    result.runs.map(({ arm, seed, state }) => `${arm} ${seed} ${state}`),
    ['gone 1 failed', 'slow 1 done', 'fast 1 done', 'gone 2 failed', 'slow 2 done', 'fast 2 done'],
  );
  assert.match(result.runs[0]!.failure!, /^InvalidRunConfig: domain\.families\.\w+: .* there are only/);

  const table = parseJson(await store.read(result.table), AblationTable, result.table.key);
  assert.deepEqual(Object.keys(table.sets), ['own', 'sums']);
  assert.deepEqual(Object.keys(table.sets['own']!), ['fast', 'slow', 'untrained']);
  assert.deepEqual(table.arms, ['gone', 'slow', 'fast']);
  assert.equal(table.sets['own']!['slow']!.against, null);
  assert.ok(table.sets['own']!['fast']!.against);
  assert.equal(table.runs['slow']![0], byHand.runKey);
  assert.deepEqual(table.runs['gone'], [null, null]);
  assert.equal(table.rewards['fast']!.length, 2);
  assert.ok(table.training['slow']!.bufferSize >= 0 && table.training['slow']!.withSignal <= 1);
  assert.ok(table.cost['slow']!.completionTokens > 0);
  assert.ok((await findHead(store, byHand.runKey))!.head.generation === 1);

  // Again: every run and every evaluation is there already, so the numbers are the same.
  const again = await execute();
  const second = parseJson(await store.read(again.table), AblationTable, again.table.key);
  assert.deepEqual(second, table);
});

test('a set of problems that cannot be made ends it before any training', async () => {
  const sets = { sums: { ...base.domain, families: { adOne: 1 } } };
  const args = [{ ...input, arms: { slow: {} }, seeds: [1], evaluation: { ...input.evaluation, sets } }];
  const workflowId = `${id}-misspelt`;
  const failed = await client.workflow
    .execute('ablation', { taskQueue: taskQueues.run, workflowId, args })
    .catch((error: unknown) => error);
  assert.match(
    String((failed as { cause?: unknown }).cause),
    /InvalidRunConfig: evaluation\.sets\.sums: domain\.families\.adOne/,
  );
  assert.deepEqual(await store.list(`runs/${workflowId}`), []);
});
