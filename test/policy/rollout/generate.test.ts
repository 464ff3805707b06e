import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { logProbs } from '../../../activities/policy/learner/logProbs.ts';
import {
  arrangeWeights,
  decodeProgram,
  prefillProgram,
  textLogProbProgram,
} from '../../../activities/policy/model/programs.ts';
import type { Program } from '../../../activities/policy/graph/program.ts';
import type { Progress, SamplePrompt } from '../../../activities/policy/policy.ts';
import { generate, type Sampling } from '../../../activities/policy/rollout/generate.ts';
import { keyOf, keyToHex, stream } from '../../../activities/random.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { randomAdapter, tinyCheckpoint, tinyConfig } from '../tinyCheckpoint.ts';

const lora = { rank: 3, alpha: 6, targets: ['q', 'v', 'down'] as const };
const adapter = randomAdapter(tinyConfig, lora);
/** Token n is written as its number and a space. */
const decode = (tokenIds: number[]) => tokenIds.map((id) => `${id} `).join('');
const quiet = async () => undefined;
let sampling: Sampling;
let scoring: Program;

before(async () => {
  const weights = arrangeWeights(tinyCheckpoint());
  sampling = {
    config: tinyConfig,
    prefill: (await prefillProgram(weights, lora, { threads: 1 })).bind(adapter),
    decode: (await decodeProgram(weights, lora, { threads: 1 })).bind(adapter),
    tokenizer: { decode, stopTokenIds: [3, 50, 51] },
  };
  scoring = (await textLogProbProgram(weights, lora, { threads: 1 })).bind(adapter);
});

/** Prompts of many lengths; `keys[i]` rollouts for the i-th. */
function promptsOf(name: string, keys: number[]): SamplePrompt[] {
  const draw = stream(['generate test', name]);
  return keys.map((count, index) => ({
    tokenIds: Array.from({ length: 1 + Math.floor(draw() * 30) }, () => Math.floor(draw() * 97)),
    keys: Array.from({ length: count }, (_, rollout) => keyToHex(keyOf([name, index, rollout]))),
  }));
}

test('log-probs of sampling are those of reading, through every growth and shrinking of the batch', async () => {
  // More rollouts than a batch holds, different G, most ending early, some after many growths of the cache.
  const prompts = promptsOf('many', [...new Array<number>(40).fill(4), 1, 2, 1, 130]);
  const options = { maxNewTokens: 80, temperature: 1, topK: null, topP: null, stopStrings: [] };
  const groups = await generate(sampling, prompts, options, quiet);
  assert.deepEqual(
    groups.map((group) => group.length),
    prompts.map(({ keys }) => keys.length),
  );
  const sequences = prompts.flatMap(({ tokenIds }, index) =>
    groups[index]!.map((completion) => [...tokenIds, ...completion.tokenIds]),
  );
  const read = await logProbs(scoring, sequences, tinyConfig, quiet);
  let sequence = 0;
  const lengths = groups.flatMap((group, index) =>
    group.map(({ tokenIds, logProbs: sampled, finishReason }) => {
      const expected = read[sequence++]!.slice(prompts[index]!.tokenIds.length);
      assert.equal(sampled.length, expected.length);
      sampled.forEach((logProb, i) =>
        assert.ok(Math.abs(logProb - expected[i]!) < 1e-4, `${logProb} sampled, ${expected[i]} read`),
      );
      const stopsAt = tokenIds.findIndex((id) => sampling.tokenizer.stopTokenIds.includes(id));
      if (finishReason === 'stop') assert.equal(stopsAt, tokenIds.length - 1);
      else assert.deepEqual([finishReason, stopsAt, tokenIds.length], ['length', -1, 80]);
      return tokenIds.length;
    }),
  );
  assert.ok(lengths.some((length) => length < 10) && lengths.some((length) => length > 64), String(lengths));
});

test('a completion depends on its prompt and key, not on what else is asked for', async () => {
  const prompts = promptsOf('alone', [3, 3, 3, 3]);
  const options = { maxNewTokens: 20, temperature: 0.8, topK: null, topP: null, stopStrings: [] };
  const together = await generate(sampling, prompts, options, quiet);
  assert.deepEqual(await generate(sampling, prompts, options, quiet), together);
  const alone = await generate(sampling, [prompts[2]!], options, quiet);
  assert.deepEqual(
    alone[0]!.map(({ tokenIds }) => tokenIds),
    together[2]!.map(({ tokenIds }) => tokenIds),
  );
  assert.ok(new Set(together.flat().map(({ tokenIds }) => tokenIds.join())).size > 8);
});

test('a stop string ends a completion with the token that completes it', async () => {
  const prompts = promptsOf('stop strings', [16]);
  const options = { maxNewTokens: 60, temperature: 1, topK: null, topP: null, stopStrings: ['7 ', '1 1'] };
  const [group] = await generate(sampling, prompts, options, quiet);
  const stopped = group!.filter(({ finishReason }) => finishReason === 'stopString');
  assert.ok(stopped.length > 0);
  for (const { tokenIds, finishReason } of group!) {
    const reached = (ids: number[]) => options.stopStrings.some((text) => decode(ids).includes(text));
    assert.equal(reached(tokenIds), finishReason === 'stopString');
    assert.equal(reached(tokenIds.slice(0, -1)), false);
  }
});

test('frequencies of the first token follow the distribution at the temperature asked for', async () => {
  const temperature = 3;
  const tokenIds = [11, 5, 42];
  const draws = 2000;
  const keys = Array.from({ length: draws }, (_, i) => keyToHex(keyOf(['first token', i])));
  const [group] = await generate(
    sampling,
    [{ tokenIds, keys }],
    { maxNewTokens: 1, temperature, topK: null, topP: null, stopStrings: [] },
    quiet,
  );
  const continuations = Array.from({ length: tinyConfig.vocabulary }, (_, id) => [...tokenIds, id]);
  const read = await logProbs(scoring, continuations, tinyConfig, quiet);
  const warmed = read.map((sequence) => Math.exp(sequence[3]! / temperature));
  const total = warmed.reduce((sum, value) => sum + value, 0);
  const counts = new Array<number>(tinyConfig.vocabulary).fill(0);
  for (const completion of group!) {
    const [token] = completion.tokenIds;
    counts[token!]!++;
    assert.ok(Math.abs(completion.logProbs[0]! - Math.log(warmed[token!]! / total)) < 1e-4);
  }
  // Tokens too rare for the χ² approximation are counted together.
  let [chiSquare, classes, rareCount, rareExpected] = [0, 0, 0, 0];
  counts.forEach((count, token) => {
    const expected = (warmed[token]! / total) * draws;
    if (expected < 10) [rareCount, rareExpected] = [rareCount + count, rareExpected + expected];
    else [chiSquare, classes] = [chiSquare + (count - expected) ** 2 / expected, classes + 1];
  });
  chiSquare += (rareCount - rareExpected) ** 2 / rareExpected;
  assert.ok(classes > 5);
  assert.ok(chiSquare < classes + 4.5 * Math.sqrt(2 * classes), `χ² = ${chiSquare} of ${classes} degrees`);
});

test('progress goes up to the number of rollouts, and stopping it stops the sampling', async () => {
  const prompts = promptsOf('progress', [4, 4]);
  const options = { maxNewTokens: 30, temperature: 1, topK: null, topP: null, stopStrings: [] };
  const seen: Progress[] = [];
  await generate(sampling, prompts, options, async (progress) => void seen.push(progress));
  assert.deepEqual(
    seen.map(({ done }) => done),
    seen.map(({ done }) => done).sort((a, b) => a - b),
  );
  assert.deepEqual(
    [seen[0]?.phase, seen.at(-1)?.phase, seen.at(-1)?.done, seen.at(-1)?.total],
    ['prefill', 'sample', 8, 8],
  );
  const enough = new Error('enough');
  let steps = 0;
  const stop = async () => {
    if (++steps === 5) throw enough;
  };
  await assert.rejects(generate(sampling, prompts, options, stop), (error) => error === enough);
  assert.equal(steps, 5);
});

test('a policy that gives NaN is a typed failure', async () => {
  const damaged = Object.fromEntries(
    Object.entries(adapter).map(([name, data]) => [name, new Float32Array(data.length).fill(NaN)]),
  );
  await assert.rejects(
    generate(
      { ...sampling, prefill: sampling.prefill.bind(damaged) },
      promptsOf('damaged', [2]),
      { maxNewTokens: 3, temperature: 1, topK: null, topP: null, stopStrings: [] },
      quiet,
    ),
    (error) => error instanceof TypedFailure && error.type === 'NonFiniteLoss',
  );
});

/** The same policy with programs that give whole distributions. */
async function cutting(): Promise<Sampling> {
  const weights = arrangeWeights(tinyCheckpoint());
  return {
    ...sampling,
    prefill: (await prefillProgram(weights, lora, { threads: 1 }, 'distribution')).bind(adapter),
    decode: (await decodeProgram(weights, lora, { threads: 1 }, 'distribution')).bind(adapter),
  };
}

test('temperature 0 takes the likeliest token, whatever the keys', async () => {
  const greedy = await cutting();
  const options = { maxNewTokens: 12, temperature: 0, topK: null, topP: null, stopStrings: [] };
  const prompts = promptsOf('greedy', [3]);
  const [group] = await generate(greedy, prompts, options, quiet);
  const [first] = group!;
  for (const completion of group!) assert.deepEqual(completion.tokenIds, first!.tokenIds);
  assert.ok(first!.logProbs.every((logProb) => logProb === 0));
  const text = [...prompts[0]!.tokenIds, ...first!.tokenIds];
  const [read] = await logProbs(scoring, [text], tinyConfig, quiet);
  const start = prompts[0]!.tokenIds.length;
  first!.policyLogProbs.forEach((logProb, i) => assert.ok(Math.abs(logProb - read![start + i]!) < 1e-4));
  // No other token would have been likelier at any place.
  for (let i = 0; i < first!.tokenIds.length; i++) {
    const others = Array.from({ length: tinyConfig.vocabulary }, (_, id) => [
      ...text.slice(0, start + i),
      id,
    ]);
    const scores = await logProbs(scoring, others, tinyConfig, quiet);
    const best = Math.max(...scores.map((sequence) => sequence.at(-1)!));
    assert.ok(first!.policyLogProbs[i]! > best - 1e-4);
  }
});

test('top-k and top-p: sampled log-probs are of what is left, policy log-probs of the whole', async () => {
  const [topK, topP, temperature] = [5, 0.9, 0.8];
  const prompts = promptsOf('cut', [40]);
  const options = { maxNewTokens: 1, temperature, topK, topP, stopStrings: [] };
  const [group] = await generate(await cutting(), prompts, options, quiet);
  const [{ tokenIds }] = prompts as [SamplePrompt];
  const continuations = Array.from({ length: tinyConfig.vocabulary }, (_, id) => [...tokenIds, id]);
  const read = await logProbs(scoring, continuations, tinyConfig, quiet);
  const tempered = read.map((sequence) => Math.exp(sequence.at(-1)! / temperature));
  const total = tempered.reduce((a, b) => a + b);
  const best = [...tempered.keys()].sort((a, b) => tempered[b]! - tempered[a]!).slice(0, topK);
  const mass = best.reduce((sum, token) => sum + tempered[token]!, 0);
  const kept: number[] = [];
  for (let sum = 0; sum < topP * mass; sum += tempered[kept.at(-1)!]!) kept.push(best[kept.length]!);
  const left = kept.reduce((sum, token) => sum + tempered[token]!, 0);
  const drawn = new Set(group!.map((completion) => completion.tokenIds[0]!));
  assert.ok(drawn.size > 1);
  for (const completion of group!) {
    const token = completion.tokenIds[0]!;
    assert.ok(kept.includes(token));
    assert.ok(Math.abs(completion.logProbs[0]! - Math.log(tempered[token]! / left)) < 1e-4);
    assert.ok(Math.abs(completion.policyLogProbs[0]! - Math.log(tempered[token]! / total)) < 1e-4);
  }
});
