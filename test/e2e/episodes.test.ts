import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EvaluationSummary } from '../../activities/artifacts/evaluation.ts';
import { keys } from '../../activities/artifacts/keys.ts';
import { parseJson } from '../../activities/artifacts/canonical.ts';
import { readChain } from '../../activities/artifacts/manifests.ts';
import { decodeEvaluation, decodeGroups, decodeRollouts } from '../../activities/artifacts/parquet.ts';
import type { GroupRow } from '../../activities/artifacts/records.ts';
import type { Curriculum } from '../../activities/curriculum/types.ts';
import { episodesOf } from '../../activities/episode.ts';
import { packMicroBatches } from '../../activities/policy/learner/batches.ts';
import { sequencesOf } from '../../activities/policy/learner/sequences.ts';
import { tokenWeights } from '../../activities/policy/learner/tokenWeights.ts';
import { trainGroups } from '../../activities/trainGroups.ts';
import type { RunConfig } from '../../workflows/contract/config.ts';
import {
  connectHarness,
  end,
  progressOf,
  smallConfig,
  startRun,
  startWorkerProcess,
  until,
} from './harness.ts';

// At the top level, so that services started for this file alone live until its end.
const harness = await connectHarness();
let worker: ChildProcess;

before(async () => {
  worker = await startWorkerProcess();
});

after(async () => {
  await end(worker, 'SIGTERM');
  await harness.close();
});

/**
 * A tiny random model with room for an episode, whose answers end at a digit: some are right, and all take no time.
 *
 * @returns its folder.
 */
function digitModel(): string {
  const folder = mkdtempSync(join(tmpdir(), 'reiterate-test-'));
  cpSync(fileURLToPath(new URL('../fixtures/policy/families/qwen2-tied', import.meta.url)), folder, {
    recursive: true,
  });
  const change = (name: string, changed: (file: Record<string, unknown>) => object) => {
    const file = join(folder, name);
    const before = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify({ ...before, ...changed(before) }));
    return before;
  };
  const { model } = change('tokenizer.json', () => ({})) as { model: { vocab: Record<string, number> } };
  const digits = [...'0123456789'].map((digit) => model.vocab[digit]!);
  change('generation_config.json', ({ eos_token_id: ends }) => ({
    eos_token_id: [...(ends as number[]), ...digits],
  }));
  change('config.json', () => ({ max_position_embeddings: 4096 }));
  return folder;
}

const config: RunConfig = {
  ...smallConfig,
  generations: 3,
  model: digitModel(),
  domain: {
    name: 'ledger',
    turns: { least: 2, most: 3 },
    largest: 3,
    trainTasks: 20,
    heldOutTasks: 2,
    taskSeed: 1,
  },
  curriculum: { ...smallConfig.curriculum, minimumSize: 1, selectProbability: 0.7 },
  sampling: {
    ...smallConfig.sampling,
    promptsPerGeneration: 8,
    rolloutsPerPrompt: 8,
    promptsPerShard: 5,
    maxNewTokens: 48,
  },
  training: { ...smallConfig.training, tokensPerMicroBatch: 4096, trainPrefix: true },
  evaluation: { ...smallConfig.evaluation, tasks: 2, depth: 1 },
};

/** Tokens that an update of one epoch, and its reference, read when the answers in its prompts are not trained. */
function tokensWithoutReplay(rows: readonly GroupRow[]): number {
  const { overlong, tokensPerMicroBatch } = config.training;
  const groups = trainGroups(rows, overlong);
  const { sequences } = sequencesOf(groups, tokenWeights(groups, 'token', config.sampling.maxNewTokens));
  const tokens = packMicroBatches(sequences, tokensPerMicroBatch)
    .flat()
    .reduce((sum, { group, completions }) => {
      const sequence = sequences[group]!;
      return completions.reduce(
        (read, one) => read + sequence.completions[one]!.tokenIds.length,
        sum + sequence.promptIds.length,
      );
    }, 0);
  return 2 * tokens;
}

let runKey: string;

test('a run of episodes completes; every turn of a rollout is in the record and is trained on', async () => {
  const outcome = await (await startRun(harness.client, `episodes-${process.pid}`, config)).result();
  assert.equal(outcome.status, 'completed');
  runKey = outcome.runKey;
  const rows: GroupRow[] = [];
  let replayed = false;
  for (const { content, observed } of (await readChain(harness.store, runKey)).slice(1)) {
    const ref = observed.artifacts.groups!;
    const ofGeneration = await decodeGroups(await harness.store.read(ref), ref.key);
    const { metrics, conservation } = content;
    assert.equal(conservation?.drawn, 8);
    assert.equal(episodesOf(ofGeneration).length, 64);
    const trained = ofGeneration.filter(({ dropped }) => dropped === null);
    assert.equal(
      metrics?.update?.trainedTokens ?? 0,
      trained.reduce((sum, { completionIds }) => sum + completionIds.length, 0),
    );
    assert.ok((metrics?.update?.largestMismatch ?? 0) < 0.01);
    const more = (metrics?.update?.processedTokens ?? 0) - tokensWithoutReplay(ofGeneration);
    const replays = episodesOf(trained).some(([first]) => first.turn > 0);
    assert.ok(replays ? more > 0 : more === 0, `${more} tokens more than without trainPrefix`);
    replayed ||= replays;
    rows.push(...ofGeneration);
  }
  assert.ok(replayed, 'a group that was trained on starts at a later turn');
  assert.equal(new Set(rows.map(({ seed }) => seed)).size, rows.length);
  for (const [first, ...later] of episodesOf(rows)) {
    later.forEach((row, index) => {
      assert.equal(row.turn, first.turn + index + 1);
      assert.equal(row.advantage, first.advantage);
      assert.ok(row.prompt.includes(first.completion.trim()), 'the answer before is in the prompt');
      assert.doesNotMatch(row.prompt, /Current response:/);
    });
    for (const row of [first, ...later].slice(0, -1)) assert.notEqual(row.finishReason, 'length');
  }
});

test('the task buffer holds the turns of an episode as instances of their own', async () => {
  const chain = await readChain(harness.store, runKey);
  const turns = new Set<number>();
  for (const { observed } of chain) {
    const bytes = await harness.store.read(observed.artifacts.curriculum);
    const { buffer } = JSON.parse(new TextDecoder().decode(bytes)) as Curriculum;
    for (const { instance } of buffer) {
      assert.equal(instance.history.length, instance.turn + 1);
      turns.add(instance.turn);
    }
  }
  assert.ok(turns.has(1), `turns ${[...turns].join(', ')}`);
});

test('an evaluation takes k steps at every turn before the environment goes on', async () => {
  for (const k of [0, 1]) {
    const place = { kind: 'evaluation', generation: 0, depth: k } as const;
    const key = keys.rollouts(runKey, place, 0);
    const rows = await decodeRollouts((await harness.store.find(key))!.bytes, key);
    const episodes = episodesOf(rows);
    assert.equal(episodes.length, 2);
    for (const [first, ...later] of episodes) {
      assert.deepEqual([first.turn, first.depth, first.step], [0, k, k === 0 ? 'base' : 'improve']);
      later.forEach(({ turn, depth, step }, index) => {
        assert.equal(turn, 1 + Math.floor(index / (k + 1)));
        assert.equal(depth, index % (k + 1));
        assert.equal(step, depth === 0 ? 'base' : 'improve');
      });
      assert.equal(later.length % (k + 1), 0);
    }
    const tableKey = keys.evaluationRows(runKey, 0, k);
    const table = await decodeEvaluation((await harness.store.find(tableKey))!.bytes, tableKey);
    assert.deepEqual(
      table.map(({ completion }) => completion),
      episodes.map((turns) => turns.at(-1)!.completion),
    );
    const summaryKey = keys.evaluationSummary(runKey, 0);
    const summary = parseJson((await harness.store.find(summaryKey))!.bytes, EvaluationSummary, summaryKey);
    assert.equal(
      summary.depths[k]!.tokens,
      rows.reduce((sum, { completionIds }) => sum + completionIds.length, 0),
    );
  }
});

test('kill -9 of the worker amid episodes: same manifest hashes', async () => {
  const id = `episodes-killed-${process.pid}`;
  const handle = await startRun(harness.client, id, config);
  await until('a generation is at work', async () => (await progressOf(harness.client, id)).generation > 0, {
    everyMs: 20,
  });
  await end(worker, 'SIGKILL');
  worker = await startWorkerProcess();
  const hashesOf = async (key: string) => (await readChain(harness.store, key)).map(({ hash }) => hash);
  assert.deepEqual(await hashesOf((await handle.result()).runKey), await hashesOf(runKey));
});
