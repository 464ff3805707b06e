import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layoutGroups, layoutPrompts, type Group } from '../../../activities/policy/model/layout.ts';
import { Past } from '../../../activities/policy/model/past.ts';
import { arrangeWeights, logProbProgram, prefillProgram } from '../../../activities/policy/model/programs.ts';
import { openCheckpoint } from '../../../activities/policy/weights/checkpoint.ts';
import { stream } from '../../../activities/random.ts';
import { modelPath } from '../model.ts';
import { allTargets, randomAdapter, randomArray, tinyCheckpoint } from '../tinyCheckpoint.ts';
import {
  byReading,
  bySampling,
  byScoring,
  byTraining,
  largestDifference,
  type Objective,
  type Policy,
} from './paths.ts';

const lora = { rank: 3, alpha: 6, targets: allTargets };

function tinyPolicy(tiedHead: boolean): Policy {
  const weights = arrangeWeights(tinyCheckpoint({ tiedHead }));
  return { weights, trainable: lora, tensors: randomAdapter(weights.config, lora), threads: 2 };
}

/** Two or three completions of unequal length for prompts of unequal length, below the given vocabulary. */
function groupsBelow(vocabulary: number): Group[] {
  const draw = stream(['groups', vocabulary]);
  const tokens = (count: number) => Array.from({ length: count }, () => Math.floor(draw() * vocabulary));
  return [
    { promptIds: tokens(5), completions: [tokens(3), tokens(1), tokens(4)] },
    { promptIds: tokens(2), completions: [tokens(4), tokens(2)] },
    { promptIds: tokens(9), completions: [tokens(2), tokens(4), tokens(3)] },
  ];
}

/** An objective in which ratios are clipped on both sides, weights are capped, and sampler and reference differ. */
function objectiveFor(logProbs: readonly number[]): Objective {
  const count = logProbs.length;
  const reference = randomArray('reference', count, 0.3);
  // Ratios of 0.61, 1, 1.28 and 1.65: below, twice inside and above the clip range, none near its edges.
  const ratios = [-0.5, 0, 0.25, 0.5];
  const weights = [1.2, 0.4, 0, -0.4, -1.2];
  const oldLogProbs = logProbs.map((logProb, i) => logProb - ratios[i % 4]!);
  return {
    advantages: randomArray('advantages', count, 1),
    tokenWeights: randomArray('tokenWeights', count, 0.01, 0.04),
    oldLogProbs,
    samplerLogProbs: oldLogProbs.map((logProb, i) => logProb - weights[i % 5]!),
    referenceLogProbs: logProbs.map((logProb, i) => logProb + reference[i]!),
    clipRatio: { low: 0.2, high: 0.4 },
    klCoefficient: 0.3,
    onPolicy: false,
    importanceCap: 2,
  };
}

for (const tiedHead of [true, false])
  test(`sampling, scoring, reading and training are one model (${tiedHead ? 'tied' : 'own'} head)`, async () => {
    const policy = tinyPolicy(tiedHead);
    const groups = groupsBelow(policy.weights.config.vocabulary);
    const scored = await byScoring(policy, groups);
    const trained = await byTraining(policy, groups, objectiveFor(scored));
    assert.equal(scored.length, 23);
    assert.ok(largestDifference(scored, await bySampling(policy, groups)) < 3e-5);
    assert.ok(largestDifference(scored, await byReading(policy, groups)) < 3e-5);
    assert.ok(largestDifference(scored, trained['logProbs']!) < 3e-5);
  });

test('sampling, scoring, reading and training are one model at another temperature, too', async () => {
  const plain = tinyPolicy(true);
  const policy = { ...plain, temperature: 0.6 };
  const groups = groupsBelow(policy.weights.config.vocabulary);
  const scored = await byScoring(policy, groups);
  const trained = await byTraining(policy, groups, objectiveFor(scored));
  assert.ok(largestDifference(scored, await byScoring(plain, groups)) > 0.1, 'it matters');
  assert.ok(largestDifference(scored, await bySampling(policy, groups)) < 3e-5);
  assert.ok(largestDifference(scored, await byReading(policy, groups)) < 3e-5);
  assert.ok(largestDifference(scored, trained['logProbs']!) < 3e-5);
});

test('prompts with a common beginning are read as they are alone', async () => {
  const policy = tinyPolicy(true);
  const common = [7, 8, 9, 10, 11];
  const groups = groupsBelow(policy.weights.config.vocabulary).map(({ promptIds, completions }) => ({
    promptIds: [...common, ...promptIds],
    completions,
  }));
  const scored = await byScoring(policy, groups);
  for (const prefix of [0, 3, 5])
    assert.ok(largestDifference(scored, await bySampling(policy, groups, prefix)) < 3e-5, `prefix ${prefix}`);
});

test('sampling, scoring, reading and training are one model (SmolLM2-135M)', async () => {
  const weights = arrangeWeights(await openCheckpoint(await modelPath()));
  const tensors = randomAdapter(weights.config, lora, 'real', 0.02);
  const policy = { weights, trainable: lora, tensors, threads: 2 };
  const groups = groupsBelow(weights.config.vocabulary);
  const scored = await byScoring(policy, groups);
  const trained = await byTraining(policy, groups, objectiveFor(scored));
  const distances = [
    await bySampling(policy, groups),
    await byReading(policy, groups),
    trained['logProbs']!,
  ].map((others) => largestDifference(scored, others));
  assert.ok(Math.max(...distances) < 1e-3, `sampling, reading, training differ by ${distances.join(', ')}`);
});

test('padding does not change a result: groups alone or beside others', async () => {
  const policy = tinyPolicy(true);
  const groups = groupsBelow(policy.weights.config.vocabulary);
  const together = await byScoring(policy, groups);
  const alone = [];
  for (const group of groups) alone.push(...(await byScoring(policy, [group])));
  assert.ok(largestDifference(together, alone) < 1e-5);

  const objective = objectiveFor(together);
  const all = await byTraining(policy, groups, objective);
  const parts: Record<string, Float32Array>[] = [];
  let start = 0;
  for (const group of groups) {
    const end = start + layoutGroups([group]).rows;
    const cut = (list: ArrayLike<number>) => Array.from(list).slice(start, end);
    const { advantages, tokenWeights, oldLogProbs, samplerLogProbs, referenceLogProbs } = objective;
    parts.push(
      await byTraining(policy, [group], {
        ...objective,
        advantages: cut(advantages),
        tokenWeights: cut(tokenWeights),
        oldLogProbs: cut(oldLogProbs),
        samplerLogProbs: cut(samplerLogProbs!),
        referenceLogProbs: cut(referenceLogProbs),
      }),
    );
    start = end;
  }
  // Losses and gradients are sums over tokens, so micro-batches of any cut add up to the same.
  for (const name of Object.keys(all).filter((key) => key === 'loss' || key.startsWith('gradient.'))) {
    const sums = all[name]!.map((_, i) => parts.reduce((total, part) => total + part[name]![i]!, 0));
    const norm = Math.hypot(...all[name]!);
    assert.ok(largestDifference(all[name]!, sums) < 1e-5 * norm, name);
  }
});

test('rows beyond one block of the output table are scored as rows alone', async () => {
  const policy = tinyPolicy(true);
  const draw = stream(['blocks']);
  const text = () => Array.from({ length: 90 }, () => Math.floor(draw() * 97));
  const groups = Array.from({ length: 5 }, () => ({ promptIds: text().slice(0, 20), completions: [text()] }));
  assert.equal(layoutGroups(groups).symbols['B'], 2);
  const together = await byScoring(policy, groups);
  const alone = await byReading(policy, groups.slice(4));
  assert.ok(largestDifference(together.slice(360, 450), alone) < 3e-5);
});

test('the training gradient equals finite differences of the loss, for every adapter tensor', async () => {
  const policy = { ...tinyPolicy(false), temperature: 0.8 };
  const groups = groupsBelow(policy.weights.config.vocabulary);
  const objective = objectiveFor(await byScoring(policy, groups));
  const results = await byTraining(policy, groups, objective);
  for (const flag of ['clippedLow', 'clippedHigh', 'importanceCapped'])
    assert.ok(results[flag]!.includes(1) && results[flag]!.includes(0), flag);

  // The loss again from log-probs, in double precision, so that its own rounding does not blur the difference.
  const layout = layoutGroups(groups);
  const program = await logProbProgram(policy.weights, lora, { threads: 2 });
  const lossAt = async (adapter: Record<string, Float32Array>): Promise<number> => {
    const { logProbs } = await program.run(layout.symbols, {
      ...layout.feeds,
      ...adapter,
      temperature: Float32Array.of(policy.temperature),
    });
    return lossOf(logProbs!, objective);
  };
  assert.ok(Math.abs((await lossAt(policy.tensors)) - results['loss']![0]!) < 1e-5);
  const step = 2e-3;
  for (const [name, values] of Object.entries(policy.tensors)) {
    // Along the gradient itself: the slope there is its norm, which any wrong entry lowers.
    const gradient = results[`gradient.${name}`]!;
    const norm = Math.hypot(...gradient);
    const moved = (by: number) =>
      lossAt({ ...policy.tensors, [name]: values.map((value, i) => value + (by * gradient[i]!) / norm) });
    const near = (await moved(step)) - (await moved(-step));
    const far = (await moved(2 * step)) - (await moved(-2 * step));
    const slope = (8 * near - far) / (12 * step);
    assert.ok(Math.abs(slope - norm) < 2e-3 * norm, `${name}: slope ${slope}, gradient norm ${norm}`);

    // And along a random direction, in which a missing part of the gradient would show.
    const direction = randomArray(`direction ${name}`, values.length, 1);
    const length = Math.hypot(...direction);
    const turned = (by: number) =>
      lossAt({ ...policy.tensors, [name]: values.map((value, i) => value + (by * direction[i]!) / length) });
    const across = ((await turned(step)) - (await turned(-step))) / (2 * step);
    const expected = gradient.reduce((total, slope_, i) => total + (slope_ * direction[i]!) / length, 0);
    assert.ok(Math.abs(across - expected) < 5e-3 * norm, `${name}: ${across} across, expected ${expected}`);
  }
  await program.release();
});

test('checkpointed training gives the same bits', async () => {
  for (const policy of [tinyPolicy(false), { ...tinyPolicy(true), temperature: 0.8 }]) {
    const groups = groupsBelow(policy.weights.config.vocabulary);
    const objective = objectiveFor(await byScoring(policy, groups));
    const plain = await byTraining(policy, groups, objective);
    assert.deepEqual(await byTraining(policy, groups, objective, true), plain);
  }
});

/** The objective's formula, written out a second time (ExIt Eq. 4, with two ε and importance weights). */
function lossOf(logProbs: Float32Array, objective: Objective): number {
  const { clipRatio, klCoefficient } = objective;
  return logProbs.reduce((loss, logProb, i) => {
    const ratio = Math.exp(logProb - objective.oldLogProbs[i]!);
    const advantage = objective.advantages[i]!;
    const clipped = Math.min(Math.max(ratio, 1 - clipRatio.low), 1 + clipRatio.high);
    const d = logProb - objective.referenceLogProbs[i]!;
    const gain = Math.min(ratio * advantage, clipped * advantage) * weightOf(objective, i);
    return loss - objective.tokenWeights[i]! * (gain - klCoefficient * (Math.expm1(-d) + d));
  }, 0);
}

function weightOf({ importanceCap, oldLogProbs, samplerLogProbs }: Objective, i: number): number {
  if (importanceCap === null) return 1;
  return Math.min(Math.exp(oldLogProbs[i]! - samplerLogProbs![i]!), importanceCap);
}

test('each side of the clip range and each importance weight are told token by token', async () => {
  const policy = tinyPolicy(true);
  const groups = groupsBelow(policy.weights.config.vocabulary);
  const objective = objectiveFor(await byScoring(policy, groups));
  const results = await byTraining(policy, groups, objective);
  results['logProbs']!.forEach((logProb, i) => {
    const ratio = Math.exp(logProb - objective.oldLogProbs[i]!);
    const gains = objective.advantages[i]! > 0;
    assert.equal(results['clippedLow']![i], Number(!gains && ratio < 0.8));
    assert.equal(results['clippedHigh']![i], Number(gains && ratio > 1.4));
    assert.ok(Math.abs(results['importanceWeight']![i]! - weightOf(objective, i)) < 1e-5);
    assert.equal(results['importanceCapped']![i], Number(weightOf(objective, i) === 2));
  });
  const off = await byTraining(policy, groups, { ...objective, importanceCap: null });
  assert.ok(off['importanceWeight']!.every((weight) => weight === 1));
  assert.ok(off['importanceCapped']!.every((flag) => flag === 0));
  assert.ok(
    Math.abs(off['loss']![0]! - lossOf(off['logProbs']!, { ...objective, importanceCap: null })) < 1e-5,
  );
});

for (const tiedHead of [true, false])
  test(`entropy is −Σ p log p of the whole distribution (${tiedHead ? 'tied' : 'own'} head)`, async () => {
    const policy = tinyPolicy(tiedHead);
    const groups = groupsBelow(policy.weights.config.vocabulary);
    const results = await byTraining(policy, groups, objectiveFor(await byScoring(policy, groups)));
    // What predicts each completion token is the last row of the text before it.
    const layout = layoutPrompts(
      groups.flatMap(({ promptIds, completions }) =>
        completions.flatMap((ids) => ids.map((_, t) => [...promptIds, ...ids.slice(0, t)])),
      ),
    );
    const prefill = await prefillProgram(policy.weights, lora, { threads: 2 }, 'distribution');
    const rows = layout.symbols['N']!;
    const temperature = new Float32Array(rows).fill(1);
    const { distribution } = await prefill.run(layout.symbols, {
      ...layout.feeds,
      ...Past.none(policy.weights.config).feeds,
      ...policy.tensors,
      temperature,
    });
    await prefill.release();
    const vocabulary = distribution!.length / rows;
    const expected = Array.from({ length: rows }, (_, row) =>
      distribution!
        .subarray(row * vocabulary, (row + 1) * vocabulary)
        .reduce((sum, p) => sum - (p > 0 ? p * Math.log(p) : 0), 0),
    );
    assert.ok(Math.max(...expected) > 0.5);
    assert.ok(largestDifference(results['entropy']!, expected) < 2e-4);
  });

test('on policy the ratio is exactly 1, whatever the old log-probs say', async () => {
  const policy = tinyPolicy(true);
  const groups = groupsBelow(policy.weights.config.vocabulary);
  const off = objectiveFor(await byScoring(policy, groups));
  const on = { ...off, klCoefficient: 0, onPolicy: true, importanceCap: null };
  const results = await byTraining(policy, groups, on);
  const expected = Array.from(on.tokenWeights).reduce((sum, w, i) => sum - w * on.advantages[i]!, 0);
  assert.ok(Math.abs(results['loss']![0]! - expected) < 1e-6);
  for (const flag of ['clippedLow', 'clippedHigh', 'importanceCapped'])
    assert.ok(
      results[flag]!.every((value) => value === 0),
      flag,
    );
  const explicit = await byTraining(policy, groups, {
    ...on,
    oldLogProbs: results['logProbs']!,
    onPolicy: false,
  });
  for (const name of Object.keys(policy.tensors))
    assert.deepEqual(explicit[`gradient.${name}`], results[`gradient.${name}`]);
});

test('on policy the importance weight is a constant made of this pass’s own log-probs', async () => {
  const policy = tinyPolicy(true);
  const groups = groupsBelow(policy.weights.config.vocabulary);
  const scored = await byScoring(policy, groups);
  const on = {
    ...objectiveFor(scored),
    samplerLogProbs: scored.map((logProb, i) => logProb - [0.9, 0.3, -0.3][i % 3]!),
    onPolicy: true,
  };
  const results = await byTraining(policy, groups, on);
  assert.ok(results['importanceCapped']!.includes(1));
  const weighted = await byTraining(policy, groups, {
    ...on,
    tokenWeights: Array.from(on.tokenWeights, (weight, i) => weight * results['importanceWeight']![i]!),
    klCoefficient: 0,
    importanceCap: null,
  });
  const withoutKl = await byTraining(policy, groups, { ...on, klCoefficient: 0 });
  for (const name of Object.keys(policy.tensors)) {
    const [gradient, expected] = [withoutKl[`gradient.${name}`]!, weighted[`gradient.${name}`]!];
    assert.ok(largestDifference(gradient, expected) < 1e-6 * Math.hypot(...expected), name);
  }
});

test('a far reference gives large but finite numbers', async () => {
  const policy = tinyPolicy(true);
  const groups = groupsBelow(policy.weights.config.vocabulary);
  const objective = objectiveFor(await byScoring(policy, groups));
  const results = await byTraining(policy, groups, {
    ...objective,
    referenceLogProbs: new Float32Array(23).fill(300),
    oldLogProbs: new Float32Array(23).fill(-300),
    samplerLogProbs: new Float32Array(23).fill(300),
  });
  for (const [name, values] of Object.entries(results)) assert.ok(values.every(Number.isFinite), name);
});

test('the same inputs give the same bytes, in a fresh session too', async () => {
  const policy = tinyPolicy(true);
  const groups = groupsBelow(policy.weights.config.vocabulary);
  const scored = await byScoring(policy, groups);
  assert.deepEqual(await byScoring(policy, groups), scored);
  assert.deepEqual(await bySampling(policy, groups), await bySampling(policy, groups));
  const objective = objectiveFor(scored);
  assert.deepEqual(await byTraining(policy, groups, objective), await byTraining(policy, groups, objective));
});
