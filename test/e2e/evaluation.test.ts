import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { parseJson, sha256 } from '../../activities/artifacts/canonical.ts';
import { EvaluationSummary } from '../../activities/artifacts/evaluation.ts';
import { keys } from '../../activities/artifacts/keys.ts';
import { decodeEvaluation } from '../../activities/artifacts/parquet.ts';
import { listAllRuns } from '../../client/record.ts';
import { connectTemporal, type Temporal } from '../../client/temporal.ts';
import { taskQueues } from '../../workflows/contract/names.ts';
import type { EvaluationResult, SelfImproveResult } from '../../workflows/contract/evaluationSteps.ts';
import { connectWithWorker, smallConfig } from './harness.ts';

const harness = await connectWithWorker();
const { store, client } = harness;
const suffix = String(process.pid);
const config = { ...smallConfig, evaluation: { ...smallConfig.evaluation, tasks: 0 } };

const execute = <Result>(type: string, id: string, input: unknown) =>
  client.workflow.execute<(input: unknown) => Promise<Result>>(type, {
    taskQueue: taskQueues.run,
    workflowId: `${id}-${suffix}`,
    args: [input],
  });

async function upload(problems: unknown[]) {
  const bytes = new TextEncoder().encode(problems.map((problem) => `${JSON.stringify(problem)}\n`).join(''));
  return store.put(keys.problems(sha256(bytes)), bytes, 'application/x-ndjson');
}

async function failure(input: unknown): Promise<{ type: string; message: string }> {
  const error = await execute('evaluation', 'refused', input).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof WorkflowFailedError && error.cause, String(error));
  const cause = error.cause.cause ?? error.cause;
  assert.ok(cause instanceof ApplicationFailure);
  return { type: cause.type ?? '', message: cause.message };
}

test('an evaluation of its own: an untrained policy, other problems, baselines at equal tokens', async () => {
  const domain = { ...smallConfig.domain, families: { addTwo: 1 } };
  const request = {
    policy: { config },
    name: 'mine',
    domain,
    tasks: 3,
    depth: 2,
    samplesPerTask: 2,
    baselines: true,
  };
  const result = await execute<EvaluationResult>('evaluation', 'untrained', request);
  assert.deepEqual([result.generation, result.name, result.accuracy.length], [0, 'mine', 3]);
  const temporal = await connectTemporal(harness.services.temporal);
  const statusFrom = async (asked: Temporal | null) =>
    (await listAllRuns(store, asked)).find(({ runKey }) => runKey === result.runKey)?.status;
  assert.deepEqual([await statusFrom(temporal), await statusFrom(null)], ['untrained', 'unknown']);
  await temporal.close();
  const summary = parseJson(await store.read(result.summary), EvaluationSummary, 'summary');
  assert.equal(summary.tasks, 3);
  assert.equal(summary.baselines?.length, 3);

  const read = async (key: string) => decodeEvaluation((await store.find(key))!.bytes, key);
  const rowsK = await Promise.all(
    [0, 1, 2].map((k) => read(keys.evaluationRows(result.runKey, 0, k, 'mine'))),
  );
  assert.ok(rowsK.every((rows) => rows.length === 6 && rows.every(({ family }) => family === 'addTwo')));
  const fresh = await read(keys.resampledRows(result.runKey, 0, 'mine'));
  // K more first answers for each of the 3 × 2 chains, all from streams of their own.
  assert.equal(fresh.length, 12);
  const first = rowsK[0]!;
  assert.equal(new Set([...fresh, ...first].map(({ seed }) => seed)).size, 18);
  assert.deepEqual(new Set(fresh.map(({ prompt }) => prompt)), new Set(first.map(({ prompt }) => prompt)));
  // k = 0 is one answer on both sides; a later budget is what the chains really spent.
  assert.equal(summary.baselines![0]!.answers, 1);
  assert.equal(summary.baselines![0]!.bestOf.value, summary.depths[0]!.accuracy);

  // The same again, as another workflow: everything is there already, bit for bit.
  const again = await execute<EvaluationResult>('evaluation', 'again', {
    ...request,
    policy: { run: result.runKey, generation: 0 },
  });
  assert.deepEqual(again.summary, result.summary);
  // Other problems under the same name would be another evaluation.
  const other = await failure({ ...request, policy: { run: result.runKey }, tasks: 2 });
  assert.equal(other.type, 'InvalidRunConfig');
  assert.match(
    other.message,
    /an evaluation named 'mine' of generation 0 of .* other settings; choose another/,
  );
});

test('self-improvement: problems in, every iterate out', async () => {
  const file = await upload([
    { id: 'known', question: 'What is 2 + 3?', answer: '5' },
    { id: 'open', question: 'Name a colour.', answer: null },
  ]);
  const problems = { file, instruction: null };
  const request = { policy: { config: smallConfig }, name: 'answers', problems, depth: 1, samplesPerTask: 2 };
  const result = await execute<SelfImproveResult>('selfImprove', 'improve', request);
  assert.equal(result.problems, 2);
  const lines = new TextDecoder()
    .decode(await store.read(result.answers))
    .trim()
    .split('\n')
    .map(
      (line) =>
        JSON.parse(line) as {
          id: string;
          answer: string;
          iterates: { quality?: number; completion: string }[];
        },
    );
  assert.deepEqual(
    lines.map(({ id }) => id),
    ['known', 'known', 'open', 'open'],
  );
  for (const { id, answer, iterates } of lines) {
    assert.equal(iterates.length, 2);
    assert.equal(answer, iterates[1]!.completion);
    assert.ok(iterates.every(({ quality }) => (quality !== undefined) === (id === 'known')));
  }
  assert.equal(
    result.changed,
    lines.filter(({ answer, iterates }) => answer !== iterates[0]!.completion).length,
  );

  const refused = await failure({ policy: { config }, problems });
  assert.deepEqual(refused.type, 'InvalidRunConfig');
  assert.match(refused.message, /'open' has no answer/);
});

test('what is wrong with a request is said before any work', async () => {
  const unknown = await failure({ policy: { run: 'nobody' } });
  assert.deepEqual([unknown.type, /no run 'nobody'/.test(unknown.message)], ['ArtifactMissing', true]);
  const key = await failure({ policy: { run: 'nobody' }, deph: 3 });
  assert.match(key.message, /deph: unknown key; the nearest valid one is 'depth'/);
  const neither = await failure({ policy: {} });
  assert.match(neither.message, /policy: it needs either `run` or `config`/);
  const many = await failure({ policy: { config }, tasks: 9 });
  assert.match(
    many.message,
    /tasks: 9 held-out problems asked for; the domain has 8 \(domain\.heldOutTasks\)/,
  );
});
