import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Program } from '../../../activities/policy/graph/program.ts';
import { logProbs } from '../../../activities/policy/learner/logProbs.ts';
import {
  arrangeWeights,
  decodeProgram,
  prefillProgram,
  textLogProbProgram,
} from '../../../activities/policy/model/programs.ts';
import { playQueue, type Decoder } from '../../../activities/policy/rollout/batch.ts';
import { BatchCache, CacheRoom } from '../../../activities/policy/rollout/cache.ts';
import { placesFor } from '../../../activities/policy/rollout/generate.ts';
import { Rollout } from '../../../activities/policy/rollout/rollout.ts';
import { tokenSource } from '../../../activities/policy/rollout/tokenSource.ts';
import { stream } from '../../../activities/random.ts';
import { randomAdapter, tinyCheckpoint, tinyConfig } from '../tinyCheckpoint.ts';

const lora = { rank: 3, alpha: 6, targets: ['q', 'v', 'down'] as const };
const maxNewTokens = 12;
const quiet = async () => undefined;
let decoder: Decoder;
let scoring: Program;

before(async () => {
  const weights = arrangeWeights(tinyCheckpoint());
  const adapter = randomAdapter(tinyConfig, lora);
  const greedy = { maxNewTokens, temperature: 0, topK: null, topP: null, stopStrings: [] };
  decoder = {
    config: tinyConfig,
    prefill: (await prefillProgram(weights, lora, { threads: 1 }, 'distribution')).bind(adapter),
    decode: (await decodeProgram(weights, lora, { threads: 1 }, 'distribution')).bind(adapter),
    tokens: tokenSource(greedy, tinyConfig.vocabulary),
    openCache: async (size) => new BatchCache(tinyConfig, size, new CacheRoom()),
  };
  scoring = (await textLogProbProgram(weights, lora, { threads: 1 })).bind(adapter);
});

const draw = stream(['long prompts']);
const tokens = (count: number) => Array.from({ length: count }, () => Math.floor(draw() * 97));

/** Two greedy completions of each prompt, read in passes of so many tokens, and the number of passes. */
async function play(prompts: readonly number[][], prefillTokens: number) {
  const rules = { maxNewTokens, stopTokens: new Set<number>(), newStopWatch: () => () => false };
  const queue = prompts.map((promptIds) => ({
    promptIds,
    rollouts: ['00', '01'].map((key) => new Rollout(key.repeat(8), rules)),
  }));
  let passes = 0;
  const report = async (phase: string) => void (passes += Number(phase === 'prefill'));
  // Room for three prompts: the others are read when these have finished.
  await playQueue(decoder, queue, { rows: 6, places: 3 }, maxNewTokens, report, prefillTokens);
  const rollouts = queue.flatMap((entry) => entry.rollouts);
  return { passes, rollouts };
}

const [begin, middle] = [tokens(30), tokens(25)];
for (const [what, prompts] of Object.entries({
  'one long prompt': [tokens(100)],
  'long and short prompts': [tokens(90), tokens(3), tokens(41), tokens(20), tokens(1)],
  'prompts with a long common beginning': [5, 9, 1, 30, 2].map((own) => [...begin, ...tokens(own)]),
  'prompts with beginnings in beginnings': [
    ...[3, 14].map((own) => [...begin, ...middle, ...tokens(own)]),
    ...[8, 2].map((own) => [...begin, ...tokens(own)]),
    [...begin, ...middle.slice(0, 9), ...tokens(4)],
    begin,
  ],
}))
  test(`${what}: read in many passes as in few`, async () => {
    const whole = await play(prompts, 2048);
    let passes = whole.passes;
    for (const prefillTokens of [24, 16, 11]) {
      const parts = await play(prompts, prefillTokens);
      assert.ok(parts.passes > passes, `${parts.passes} passes of ${prefillTokens}, ${passes} before`);
      passes = parts.passes;
      parts.rollouts.forEach(({ tokenIds, policyLogProbs }, i) => {
        const expected = whole.rollouts[i]!;
        assert.deepEqual(tokenIds, expected.tokenIds);
        policyLogProbs.forEach((logProb, t) =>
          assert.ok(Math.abs(logProb - expected.policyLogProbs[t]!) < 1e-4, `token ${t} of rollout ${i}`),
        );
      });
    }
  });

test('a beginning that several readings share is read once', async () => {
  const common = tokens(60);
  const prompts = [20, 21, 22].map((own) => [...common, ...tokens(own)]);
  const alone = await play(prompts.slice(0, 1), 32);
  const { passes } = await play(prompts, 32);
  assert.ok(passes <= alone.passes + 2 * 2, `${passes} passes, ${alone.passes} for one`);
});

test('of long prompts only a few are held at once, of short ones more than a batch needs', () => {
  // SmolLM2-135M has 45 KiB of keys and values a token.
  const config = { ...tinyConfig, layers: 30, keyValueHeads: 3, headDim: 64, contextLength: 8192 };
  assert.equal(placesFor(config, 8000), 3);
  assert.equal(placesFor({ ...config, layers: 3000 }, 8000), 1);
  assert.ok(placesFor(config, 200) > 128);
});

test('log-probs of long texts, read in many passes, are those of one', async () => {
  const texts = [tokens(120), tokens(40), tokens(7), tokens(1), tokens(8), tokens(9), tokens(2)];
  const whole = await logProbs(scoring, texts, tinyConfig, quiet);
  for (const limit of [40, 17, 8]) {
    let passes = 0;
    const parts = await logProbs(scoring, texts, tinyConfig, async () => void passes++, limit);
    assert.ok(passes > texts.length);
    parts.forEach((found, i) => {
      assert.equal(found.length, texts[i]!.length);
      assert.equal(found[0], null);
      found.slice(1).forEach((logProb, t) => assert.ok(Math.abs(logProb! - whole[i]![t + 1]!) < 1e-4));
    });
  }
});
