import assert from 'node:assert/strict';
import { test } from 'node:test';
import pc from 'picocolors';
import type { Snapshot } from '../../client/observe.ts';
import { newsOf, outcomeOf, runView } from '../../client/view.ts';
import type { RunProgress } from '../../workflows/contract/progress.ts';

const plain = pc.createColors(false);
const hash = 'a'.repeat(64);

function progress(changes: Partial<RunProgress> = {}): RunProgress {
  return {
    runKey: 'my-run@01234567',
    status: 'running',
    strategy: 'diverge',
    generation: 3,
    generations: 24,
    child: 'my-run/gen-0003',
    head: { generation: 2, hash, manifest: { key: 'manifest.json', sha256: hash, bytes: 1 } },
    rewards: [0.19, 0.31],
    rewardsFrom: 1,
    evaluations: [{ generation: 0, accuracy: [0.14, 0.1, 0.08, 0.05, 0.02] }],
    failure: null,
    alarm: null,
    ...changes,
  };
}

function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    run: {
      workflowId: 'my-run',
      runId: 'r',
      firstRunId: 'r',
      runKey: 'my-run@01234567',
      strategy: 'diverge',
      status: 'running',
      open: true,
      generation: 3,
      startedAt: new Date(0),
      closedAt: null,
    },
    progress: progress(),
    step: { generation: 3, step: 'iterate', done: 1, total: 2 },
    activity: {
      id: 'g3-iterate-2',
      attempt: 1,
      lastFailure: null,
      heartbeat: { phase: 'sampling', done: 100, total: 200, tokens: 4096, tokensPerSecond: 1840 },
    },
    retried: [],
    workerPolls: true,
    failure: null,
    elapsedMs: 187_000,
    remainingMs: 360_000,
    ...changes,
  };
}

test('the live view says where the run is, how fast, and how long', () => {
  const text = runView(snapshot(), 80, plain).join('\n');
  for (const part of [
    'my-run@01234567  running',
    '3m 07s · about 6m 00s left',
    '3 of 24, 2 committed',
    '1,840 tokens/s',
    'k=4',
  ])
    assert.ok(text.includes(part), `'${part}' is not in:\n${text}`);
});

test('the live view fits 80 columns whatever it shows', () => {
  const activity = { id: 'g3-iterate-2', attempt: 3, lastFailure: 'x'.repeat(300), heartbeat: null };
  const crowded = snapshot({
    run: { ...snapshot().run, runKey: `${'long-name'.repeat(12)}@01234567` },
    activity,
    retried: [activity],
    workerPolls: false,
    progress: progress({
      rewards: Array.from({ length: 500 }, () => 0.5),
      generations: 100_000,
      evaluations: Array.from({ length: 9 }, (_, generation) => ({
        generation,
        accuracy: [0.1, 0.1, 0.1, 0.1, 0.1],
      })),
    }),
  });
  for (const line of runView(crowded, 80, plain))
    assert.ok(line.length <= 80, `${line.length} columns: ${line}`);
});

test('the live view tells when no worker is there, also before the run ever answered', () => {
  const text = runView(
    snapshot({ progress: null, step: null, activity: null, workerPolls: false }),
    80,
    plain,
  );
  assert.ok(text.some((line) => line.includes('no worker is running')));
});

test('nothing new, no lines', () => {
  assert.deepEqual(newsOf(snapshot(), snapshot({ elapsedMs: 190_000 })), []);
});

test('each committed generation, evaluation, retry and change of status is said once', () => {
  const before = snapshot();
  const activity = { id: 'g5-update', attempt: 2, lastFailure: 'EngineCrashed', heartbeat: null };
  const now = snapshot({
    run: { ...before.run, status: 'paused' },
    retried: [activity],
    progress: progress({
      child: 'my-run/eval-0004',
      rewards: [0.19, 0.31, 0.4, 0.5],
      evaluations: [...progress().evaluations, { generation: 4, accuracy: [0.5, 0.25] }],
    }),
  });
  assert.deepEqual(newsOf(before, now), [
    'my-run@01234567  paused',
    'evaluation of generation 4  k=0 50.0 %  k=1 25.0 %',
    'generation 3/24  mean reward 0.400',
    'generation 4/24  mean reward 0.500',
    'evaluating generation 2 on held-out problems',
    'g5-update: attempt 2, before: EngineCrashed',
  ]);
  assert.deepEqual(newsOf(now, now), []);
});

test('the outcome names the failure', () => {
  const failed = snapshot({
    run: { ...snapshot().run, status: 'failed', open: false },
    failure: 'NonFiniteLoss: loss is NaN',
  });
  assert.equal(outcomeOf(failed), 'Run my-run@01234567 failed. NonFiniteLoss: loss is NaN');
});
