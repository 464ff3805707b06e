import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { after, before, test } from 'node:test';
import type { Manifest } from '../../activities/artifacts/manifest.ts';
import { readChain } from '../../activities/artifacts/manifests.ts';
import { decodeGraded, decodeGroups, decodeRollouts } from '../../activities/artifacts/parquet.ts';
import { inspectInstance } from '../../client/inspect/instance.ts';
import type { RunConfig } from '../../workflows/contract/config.ts';
import type { Ref } from '../../workflows/contract/ref.ts';
import {
  connectHarness,
  end,
  smallConfig,
  runInTheMiddle,
  scheduledIn,
  startRun,
  startWorkerProcess,
  tinyConfig,
} from './harness.ts';

// At the top level, so that services started for this file alone live until its end.
const harness = await connectHarness();
let worker: ChildProcess;
let chain: Manifest[];
const id = `drafted-${process.pid}`;
/** With a diversity bonus, too, which is of the refinements alone. */
const curriculum: RunConfig['curriculum'] = {
  ...smallConfig.curriculum,
  selectProbability: 0,
  selection: { name: 'igrpo', drafts: 3 },
  divergeProbability: 0,
};
const config: RunConfig = {
  ...smallConfig,
  strategy: 'igrpo',
  curriculum,
  sampling: { ...smallConfig.sampling, promptsPerGeneration: 4, rolloutsPerPrompt: 4, promptsPerShard: 2 },
  evaluation: { ...smallConfig.evaluation, tasks: 0 },
};

before(async () => {
  worker = await startWorkerProcess();
});

after(async () => {
  await end(worker, 'SIGTERM');
  await harness.close();
});

test('a task whose drafts are all cut off is played as it is, to other answers', async () => {
  const tiny: RunConfig = { ...tinyConfig, strategy: 'igrpo', curriculum, generations: 1 };
  const handle = await startRun(harness.client, `cut-off-${process.pid}`, {
    ...tiny,
    sampling: { ...tiny.sampling, maxNewTokens: 2 },
    evaluation: { ...tiny.evaluation, tasks: 0 },
  });
  const [, made] = await readChain(harness.store, (await handle.result()).runKey);
  const { drafts, rollouts } = made!.observed.artifacts;
  const { metrics, conservation } = made!.content;
  assert.ok(drafts && metrics?.drafts);
  assert.equal(metrics.drafts.truncated, 2 * 3, 'the model ended an answer: the test says nothing');
  assert.equal(metrics.drafts.refined, 0);
  assert.equal(conservation?.drawn, 2);
  const read = async (ref: Ref) => decodeRollouts(await harness.store.read(ref), ref.key);
  const drafted = (await Promise.all(drafts.rollouts.map(read))).flat();
  const played = (await Promise.all(rollouts.map(read))).flat();
  assert.deepEqual(
    played.map(({ rolloutId, step, promptIds }) => [rolloutId, step, promptIds]),
    [0, 1].flatMap((ordinal) =>
      [0, 1].map((n) => [`g1/${ordinal}/${n}`, 'base', drafted[3 * ordinal]!.promptIds]),
    ),
  );
  assert.equal(new Set([...drafted, ...played].map(({ seed }) => seed)).size, 2 * (3 + 2));
});

test('every refinement leads to the best draft of its task, and drafts are not trained on', async () => {
  const handle = await startRun(harness.client, id, config);
  chain = await readChain(harness.store, (await handle.result()).runKey);
  assert.equal(chain.length, config.generations + 1);
  const { store } = harness;
  for (const { content, observed } of chain.slice(1)) {
    const { drafts, groups } = observed.artifacts;
    assert.ok(drafts && groups && content.drafts && content.metrics?.drafts);
    assert.deepEqual(
      content.drafts.rollouts,
      drafts.rollouts.map(({ sha256 }) => sha256),
    );
    const shards = await Promise.all(
      drafts.rollouts.map(async (ref, shard) => {
        const rollouts = await decodeRollouts(await store.read(ref), ref.key);
        const grades = await decodeGraded(await store.read(drafts.graded[shard]!), ref.key);
        return rollouts.map((row, index) => ({ ...row, ...grades[index]! }));
      }),
    );
    const drafted = shards.flat();
    assert.equal(drafted.length, 4 * 3);
    const rows = await decodeGroups(await store.read(groups), groups.key);
    assert.equal(rows.length, 4 * 4);
    for (const row of rows) {
      const own = drafted.filter(({ ordinal }) => ordinal === row.ordinal);
      const usable = own.filter(({ finishReason, error }) => finishReason !== 'length' && error === null);
      if (usable.length === 0) {
        assert.deepEqual([row.step, row.parentRolloutId], ['base', null]);
        assert.ok(own.every(({ completion }) => completion !== row.completion));
        continue;
      }
      const parent = usable.find(({ rolloutId }) => rolloutId === row.parentRolloutId);
      assert.ok(parent, `${row.rolloutId} grew from ${row.parentRolloutId}`);
      assert.match(parent.rolloutId, new RegExp(`^g${content.generation}/draft/${row.ordinal}/\\d$`));
      assert.deepEqual([row.step, row.depth, row.baseTaskId], ['improve', 1, parent.baseTaskId]);
      assert.equal(row.parentInstanceId, parent.instanceId);
      assert.equal((await inspectInstance(store, chain, parent.instanceId)).baseTaskId, row.baseTaskId);
      assert.equal(parent.quality, Math.max(...usable.map(({ quality }) => quality ?? 0)));
      assert.ok(row.prompt.includes(parent.completion.trim()), row.prompt);
      assert.equal(row.policy, parent.policy);
      assert.ok(row.diversity !== null);
    }
    const { refined, truncated, completionTokens } = content.metrics.drafts;
    assert.equal(4 * refined, rows.filter(({ step }) => step === 'improve').length);
    assert.ok(refined > 0, 'no draft was finished: the test says nothing');
    assert.equal(truncated, drafted.filter(({ finishReason }) => finishReason === 'length').length);
    assert.equal(
      completionTokens,
      drafted.reduce((sum, { completionIds }) => sum + completionIds.length, 0),
    );
    assert.equal(content.conservation?.drawn, 4);
    assert.equal(content.metrics.bufferSize, 0);
  }
});

test('the draft stage has a place of its own on the timeline', async () => {
  const ids = await scheduledIn(harness.client, `${id}/gen-0001`);
  const before = ids.slice(0, ids.indexOf('g1-iterate-1'));
  assert.deepEqual(before.sort(), [
    'g1-draft-evaluate-1',
    'g1-draft-evaluate-2',
    'g1-draft-iterate-1',
    'g1-draft-iterate-2',
    'g1-refine',
    'g1-sample',
  ]);
});

test('kill -9 of the worker in the middle of the drafts: same manifest hashes', async () => {
  const handle = await runInTheMiddle(harness.client, 'drafted-killed', config, 'g1-draft-iterate-1');
  await end(worker, 'SIGKILL');
  worker = await startWorkerProcess();
  const again = await readChain(harness.store, (await handle.result()).runKey);
  assert.deepEqual(
    again.map(({ hash }) => hash),
    chain.map(({ hash }) => hash),
  );
});
