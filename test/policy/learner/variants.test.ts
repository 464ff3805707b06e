import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { adamWStep, copyOf, globalNorm, type Arrays } from '../../../activities/policy/learner/adamw.ts';
import { update, type Learning, type UpdateInput } from '../../../activities/policy/learner/update.ts';
import { layoutGroups } from '../../../activities/policy/model/layout.ts';
import type { TrainGroup } from '../../../activities/policy/policy.ts';
import { adapter, adapterNamed, groupsOf, inputOf, learningOf, quiet, tinyPrograms } from './tinyLearning.ts';

/** Updates in several steps and with importance weights, beside the same written straight down. */

let programs: Awaited<ReturnType<typeof tinyPrograms>>;
let groups: TrainGroup[];
let learning: Learning;

before(async () => {
  programs = await tinyPrograms();
  learning = learningOf(programs);
  groups = await groupsOf(programs.scoring, [4, 3, 5, 2, 4]);
});

/** The groups as a sampler would have told them whose log-probs are off by −1.2, 0, 0.4 …, token by token. */
function shifted(): TrainGroup[] {
  const shifts = [-1.2, 0, 0.4, -0.3];
  return groups.map(({ promptIds, completions }) => ({
    promptIds,
    completions: completions.map((each) => ({
      ...each,
      logProbs: each.logProbs.map((logProb, t) => logProb + shifts[t % 4]!),
    })),
  }));
}

/** One update, a pass a minibatch, its weights and importance made here; every completion is trained. */
async function straightLine(
  { parameters: start, optimizer, groups, training, ...input }: UpdateInput,
  reference: Arrays,
) {
  const { clipRatio, importanceCap, klCoefficient, gradientClip, learningRate } = training;
  const temperature = { temperature: Float32Array.of(input.temperature) };
  const { adamBetas: betas, adamEpsilon: epsilon, weightDecay } = training;
  const hands = Array.from({ length: training.minibatches }, (_, hand) =>
    groups.filter((_, i) => i % training.minibatches === hand),
  );
  const batches = [];
  for (const dealt of hands) {
    const completions = dealt.flatMap((group) => group.completions);
    const layout = layoutGroups(
      dealt.map(({ promptIds, completions }) => ({
        promptIds,
        completions: completions.map(({ tokenIds }) => tokenIds),
      })),
    );
    const under = async (policy: Arrays) => {
      const feeds = { ...layout.feeds, ...temperature, ...Object.fromEntries(policy) };
      return (await programs.logProbs.run(layout.symbols, feeds))['logProbs']!;
    };
    const old = await under(start);
    const sampled = completions.flatMap(({ logProbs }) => logProbs);
    const cap = importanceCap ?? 1;
    const weights = sampled.map((logProb, i) =>
      importanceCap === null ? 1 : Math.min(Math.exp(old[i]! - logProb), cap),
    );
    batches.push({ layout, completions, sampled, weights, old, referenced: await under(reference) });
  }
  const parameters = copyOf(start);
  const state = { ...optimizer, first: copyOf(optimizer.first), second: copyOf(optimizer.second) };
  for (let epoch = 0; epoch < training.epochs; epoch++)
    for (const { layout, completions, weights, old, referenced } of batches) {
      const outputs = await programs.training.run(layout.symbols, {
        ...layout.feeds,
        ...temperature,
        ...Object.fromEntries(parameters),
        // Without KL, a token's importance may as well be a part of its advantage.
        advantages: Float32Array.from(
          completions.flatMap(({ advantage, tokenIds }) => tokenIds.map(() => advantage)),
          (advantage, i) => advantage * weights[i]!,
        ),
        tokenWeights: new Float32Array(layout.rows).fill(1 / layout.rows),
        oldLogProbs: old,
        samplerLogProbs: old,
        referenceLogProbs: referenced,
        clipLow: Float32Array.of(clipRatio.low),
        clipHigh: Float32Array.of(clipRatio.high),
        klCoefficient: Float32Array.of(klCoefficient),
        onPolicy: Float32Array.of(0),
        importance: Float32Array.of(0),
        importanceCap: Float32Array.of(1),
      });
      const gradients = new Map([...parameters.keys()].map((name) => [name, outputs[`gradient.${name}`]!]));
      const norm = globalNorm(gradients);
      const scale = norm > gradientClip ? gradientClip / norm : 1;
      adamWStep(parameters, gradients, scale, state, { learningRate, betas, epsilon, weightDecay });
    }
  return { state, weights: batches.flatMap((batch) => batch.weights) };
}

for (const [what, changes] of Object.entries({
  'one step': {},
  'two minibatches': { minibatches: 2 },
  'three minibatches, two epochs, wide clipping from above': {
    ...{ minibatches: 3, epochs: 2, learningRate: 0.02 },
    clipRatio: { low: 0.1, high: 0.6 },
  },
  'two minibatches with a reference': { minibatches: 2, klCoefficient: 0.2 },
  'importance weights in one step': { importanceCap: 2 },
  'importance weights in two minibatches and epochs': { importanceCap: 1.5, minibatches: 2, epochs: 2 },
}))
  test(`${what}: as written straight down`, async () => {
    const reference = adapterNamed('other');
    const input = inputOf(shifted(), changes);
    const { optimizer, metrics } = await update(
      { ...learning, reference: input.training.klCoefficient > 0 ? reference : null },
      input,
      quiet,
    );
    const expected = await straightLine(input, reference);
    assert.equal(optimizer.step, input.training.minibatches * input.training.epochs);
    assert.equal(metrics.steps, optimizer.step);
    for (const moment of ['first', 'second'] as const)
      for (const [name, values] of expected.state[moment]) {
        const scale = Math.hypot(...values);
        const distance = Math.hypot(...values.map((value, i) => value - optimizer[moment].get(name)![i]!));
        assert.ok(distance < 1e-4 * scale, `${moment} moment of ${name} is off by ${distance / scale}`);
      }
    const { weights } = expected;
    const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
    assert.ok(Math.abs(metrics.importanceWeight - mean) < 1e-5);
    const capped = weights.filter((weight) => weight === input.training.importanceCap).length;
    assert.ok(Math.abs(metrics.importanceCapped - capped / weights.length) < 1e-9);
    assert.equal(capped > 0, input.training.importanceCap !== null);
  });

test('the same update in minibatches gives the same bits and leaves what it was given', async () => {
  const kept = new Map([...adapter].map(([name, data]) => [name, data.slice()]));
  const again = () =>
    update(learning, inputOf(shifted(), { minibatches: 2, epochs: 2, importanceCap: 2 }), quiet);
  assert.deepEqual(await again(), await again());
  assert.deepEqual(adapter, kept);
});

test('only what the first step does not read needs a pass of its own for the old log-probs', async () => {
  const none = () => Promise.reject(new Error('no other pass is needed'));
  const once = await update(
    { ...learning, logProbs: none },
    inputOf(shifted(), { epochs: 2, importanceCap: 2 }),
    quiet,
  );
  const dealt = await update(learning, inputOf(shifted(), { epochs: 2, minibatches: 5 }), quiet);
  const prompts = groups.map(({ promptIds }) => promptIds.length);
  const tokens = once.metrics.trainedTokens + prompts.reduce((sum, length) => sum + length, 0);
  assert.equal(once.metrics.processedTokens, 2 * tokens);
  const { promptIds, completions } = groups[0]!;
  const first = completions.reduce((sum, { tokenIds }) => sum + tokenIds.length, promptIds.length);
  assert.equal(dealt.metrics.processedTokens, 2 * tokens + tokens - first);
  // Mismatch and likelihood are those of the start, however many steps came in between.
  for (const name of ['samplerMismatch', 'largestMismatch', 'negativeLogProb', 'trainedTokens'] as const)
    assert.ok(Math.abs(dealt.metrics[name] - once.metrics[name]) < 1e-5, name);
});

test('minibatches without a trained completion make no step; an update without any is a mistake', async () => {
  const untrained = (group: TrainGroup): TrainGroup => ({
    ...group,
    completions: group.completions.map((each) => ({ ...each, trained: false })),
  });
  const some = groups.map((group, i) => (i === 1 ? group : untrained(group)));
  const { metrics, optimizer } = await update(learning, inputOf(some, { minibatches: 3 }), quiet);
  assert.deepEqual([metrics.steps, optimizer.step], [1, 1]);
  await assert.rejects(update(learning, inputOf(groups.map(untrained)), quiet), RangeError);
});
