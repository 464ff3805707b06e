import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { readChain } from '../../activities/artifacts/manifests.ts';
import { decodeGroups } from '../../activities/artifacts/parquet.ts';
import type { RunProgress, SteeringAnswer } from '../../workflows/contract/progress.ts';
import {
  connectHarness,
  end,
  progressOf,
  smallConfig,
  startRun,
  startWorkerProcess,
  temporalCli,
  until,
} from './harness.ts';

// At the top level, so that services started for this file alone live until its end.
const harness = await connectHarness();
let worker: ChildProcess;
const id = `story-${process.pid}`;
let outcome: RunProgress;

before(async () => {
  // One of the runs asks for a GPU, and must not get one.
  process.env['CUDA_VISIBLE_DEVICES'] = '';
  worker = await startWorkerProcess();
});

after(async () => {
  await end(worker, 'SIGTERM');
  await harness.close();
});

function inputFile(config: unknown): string {
  const file = join(mkdtempSync(join(tmpdir(), 'reiterate-test-')), 'config.json');
  writeFileSync(file, JSON.stringify(config));
  return file;
}

const startWithCli = (workflowId: string, config: unknown) =>
  temporalCli(
    harness,
    ...['workflow', 'start', '--type', 'exitRun', '--task-queue', 'reiterate', '--fail-existing'],
    ...['--workflow-id', workflowId, '--input-file', inputFile(config)],
  );

test('the Temporal CLI alone starts, pauses, lists, describes and resumes a run', async () => {
  const started = await startWithCli(id, smallConfig);
  assert.equal(started.status, 0, started.stderr);
  const paused = await temporalCli(
    harness,
    'workflow',
    'update',
    'execute',
    '--name',
    'pause',
    '--workflow-id',
    id,
  );
  assert.equal(paused.status, 0, paused.stderr);
  assert.match(paused.stdout, /paused/);
  const list = (status: string) =>
    temporalCli(
      harness,
      'workflow',
      'list',
      '--query',
      `ReiterateStatus = '${status}' AND WorkflowId = '${id}'`,
      '-o',
      'json',
    );
  await until('the pause is listed', async () => (await list('paused')).stdout.includes(id));
  const described = await temporalCli(harness, 'workflow', 'describe', '--workflow-id', id);
  assert.match(described.stdout, /ReiterateStrategy/);
  const resumed = await temporalCli(
    harness,
    'workflow',
    'update',
    'execute',
    '--name',
    'resume',
    '--workflow-id',
    id,
  );
  assert.equal(resumed.status, 0, resumed.stderr);
  // As running, or, when nobody looked for long, as completed.
  await until('the pause is listed no longer', async () => !(await list('paused')).stdout.includes(id));
  outcome = await harness.client.workflow.getHandle(id).result();
  assert.equal(outcome.status, 'completed');
  assert.equal(outcome.rewards.length, smallConfig.generations);
  assert.deepEqual(
    outcome.evaluations.map(({ generation, accuracy }) => [generation, accuracy.length]),
    [
      [0, smallConfig.evaluation.depth + 1],
      [smallConfig.generations, smallConfig.evaluation.depth + 1],
    ],
  );
});

test('a generation reads as a story in the Temporal CLI', async () => {
  const shown = await temporalCli(
    harness,
    'workflow',
    'show',
    '--workflow-id',
    `${id}/gen-0001`,
    '-o',
    'json',
  );
  const { events } = JSON.parse(shown.stdout) as {
    events: {
      activityTaskScheduledEventAttributes?: { activityId: string };
      userMetadata?: { summary?: { data: string } };
    }[];
  };
  const story = events.flatMap(({ activityTaskScheduledEventAttributes: scheduled, userMetadata }) =>
    scheduled
      ? [
          [
            scheduled.activityId,
            JSON.parse(Buffer.from(userMetadata?.summary?.data ?? '', 'base64').toString()),
          ],
        ]
      : [],
  );
  assert.deepEqual(story.map(([activityId]) => activityId as string).sort(), [
    'g1-commit',
    'g1-embed-1',
    'g1-embed-2',
    'g1-evaluate-1',
    'g1-evaluate-2',
    'g1-iterate-1',
    'g1-iterate-2',
    'g1-sample',
    'g1-score',
    'g1-update',
  ]);
  const summaries = new Map(story as [string, string][]);
  assert.equal(summaries.get('g1-iterate-2'), 'gen 1 · iterate 2/2 · 3 prompts × 6');
  assert.equal(summaries.get('g1-embed-1'), 'gen 1 · embed 1/2 · for the diversity bonus');
  assert.match(summaries.get('g1-update') ?? '', /^gen 1 · update · GRPO on \d groups with signal$/);
  for (const summary of summaries.values()) assert.ok(summary.length < 60, summary);
});

test('the record: a verified chain of manifests, conserved prompts, and every rollout', async () => {
  const chain = await readChain(harness.store, outcome.runKey);
  assert.equal(chain.length, smallConfig.generations + 1);
  for (const manifest of chain.slice(1)) {
    const { conservation, metrics } = manifest.content;
    assert.ok(conservation && metrics);
    const counted =
      conservation.trained +
      conservation.withoutSignal +
      [...Object.values(conservation.filtered), ...Object.values(conservation.failed)].reduce(
        (a, b) => a + b,
        0,
      );
    assert.equal(conservation.drawn, counted);
    assert.equal(conservation.drawn, smallConfig.sampling.promptsPerGeneration);
    const ref = manifest.observed.artifacts.groups;
    assert.ok(ref);
    const rows = await decodeGroups(await harness.store.read(ref), ref.key);
    assert.equal(
      rows.length,
      smallConfig.sampling.promptsPerGeneration * smallConfig.sampling.rolloutsPerPrompt,
    );
    for (const row of rows) {
      assert.equal(row.completionIds.length, row.logProbs.length);
      assert.ok(row.logProbs.every((logProb) => logProb <= 0));
      assert.ok(row.quality === 0 || row.quality === 1);
      assert.match(row.seed, /^[0-9a-f]{16}$/);
    }
    assert.equal(new Set(rows.map((row) => row.seed)).size, rows.length);
  }
  assert.equal(outcome.head?.hash, chain.at(-1)?.hash);
  const histories = await harness.store.list(`runs/${outcome.runKey}/histories/`);
  assert.equal(histories.length, smallConfig.generations + 2, 'a history for each generation and evaluation');
});

test('a bad configuration fails the run at once, every problem named by path', async () => {
  const bad = { ...smallConfig, generations: -1, sampling: { ...smallConfig.sampling, temperatur: 1 } };
  const badId = `bad-${process.pid}`;
  assert.equal((await startWithCli(badId, bad)).status, 0);
  await assert.rejects(harness.client.workflow.getHandle(badId).result(), (error: unknown) => {
    assert.ok(error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure);
    assert.equal(error.cause.type, 'InvalidRunConfig');
    assert.match(error.cause.message, /generations/);
    assert.match(error.cause.message, /sampling\.temperatur\b/);
    return true;
  });
});

test('an unknown family, a missing model and a missing device are clear failures', async () => {
  const cases = [
    [
      { ...smallConfig, domain: { ...smallConfig.domain, families: { addOn: 1 } } },
      'InvalidRunConfig',
      /addOn/,
    ],
    [{ ...smallConfig, model: '/no/such/model.gguf' }, 'ModelUnavailable', /no\/such\/model\.gguf/],
    [{ ...smallConfig, device: 'cuda' }, 'DeviceUnavailable', /device 'cuda' cannot be used here/],
  ] as const;
  for (const [index, [config, type, message]] of cases.entries()) {
    const handle = await startRun(harness.client, `wrong-${index}-${process.pid}`, config);
    await assert.rejects(handle.result(), (error: unknown) => {
      assert.ok(error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure);
      assert.equal(error.cause.type, type);
      assert.match(error.cause.message, message);
      return true;
    });
  }
});

test('a second run with the same id is refused; stopAfterGeneration ends the first early', async () => {
  const stopId = `stop-${process.pid}`;
  const handle = await startRun(harness.client, stopId, {
    ...smallConfig,
    generations: 50,
    evaluation: { ...smallConfig.evaluation, tasks: 0 },
  });
  await until(
    'generation 1 is at work',
    async () => (await progressOf(harness.client, stopId)).generation === 1,
  );
  const second = await startWithCli(stopId, smallConfig);
  assert.notEqual(second.status, 0);
  assert.match(second.stderr, /already/);
  await assert.rejects(handle.executeUpdate('stopAfterGeneration', { args: [0] }));
  const { generation } = await handle.executeUpdate<SteeringAnswer, []>('stopAfterGeneration');
  const stopped = await handle.result();
  assert.equal(stopped.status, 'stopped');
  assert.equal(stopped.head?.generation, generation);
});
