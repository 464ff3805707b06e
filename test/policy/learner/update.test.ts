import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { freshAdamW, type AdamWState } from '../../../activities/policy/learner/adamw.ts';
import { packMicroBatches } from '../../../activities/policy/learner/batches.ts';
import { prepare } from '../../../activities/policy/learner/prepare.ts';
import { tokenWeights } from '../../../activities/policy/learner/tokenWeights.ts';
import { update, type Learning, type UpdateInput } from '../../../activities/policy/learner/update.ts';
import type { TrainGroup } from '../../../activities/policy/policy.ts';
import type { TrainingConfig } from '../../../workflows/contract/config.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import {
  adapter,
  adapterNamed,
  groupsOf,
  inputOf,
  learningOf,
  quiet,
  scoresOf,
  tinyPrograms,
} from './tinyLearning.ts';

let programs: Awaited<ReturnType<typeof tinyPrograms>>;
let groups: TrainGroup[];
let onPolicy: Learning;

before(async () => {
  programs = await tinyPrograms();
  onPolicy = learningOf(programs);
  groups = await groupsOf(programs.scoring, [4, 3, 5]);
});

const input = (changes: Partial<TrainingConfig> = {}, others: Partial<UpdateInput> = {}): UpdateInput => ({
  ...inputOf(groups, changes),
  ...others,
});

const near = (actual: number, expected: number, tolerance: number, what: string) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what}: ${actual} instead of ${expected}`);

test('a later turn is trained with the advantage of its rollout, after its own prompt', async () => {
  const [first, ...rest] = groups as [TrainGroup, ...TrainGroup[]];
  // The rewarded completion of another group, as what the first rollout said in its second turn.
  const { promptIds, completions } = rest[0]!;
  const { tokenIds, logProbs, policyLogProbs } = completions[0]!;
  const laterTurns = [{ promptIds, tokenIds, logProbs, policyLogProbs }];
  for (const advantage of [1, -1]) {
    const [rewarded, ...others] = first.completions;
    const episodes: TrainGroup[] = [
      { ...first, completions: [{ ...rewarded!, advantage, laterTurns }, ...others] },
    ];
    const { parameters, metrics } = await update(
      onPolicy,
      input({ learningRate: 0.01 }, { groups: episodes }),
      quiet,
    );
    const [read] = await scoresOf(programs.scoring, [[...promptIds, ...tokenIds]], parameters);
    const change = logProbs.reduce((sum, before, t) => sum + read![promptIds.length + t]! - before, 0);
    assert.ok(advantage * change > 0.01, `advantage ${advantage}: ${change}`);
    const own = first.completions.reduce((sum, completion) => sum + completion.tokenIds.length, 0);
    assert.equal(metrics.trainedTokens, own + tokenIds.length);
    assert.ok(metrics.largestMismatch < 1e-4, `mismatch ${metrics.largestMismatch}`);
  }
});

test('replayed answers are trained as if each rollout had said them itself', async () => {
  const said = groups[1]!.completions[1]!;
  const replayed = [{ promptIds: groups[1]!.promptIds, tokenIds: said.tokenIds }];
  const { logProbs, policyLogProbs } = said;
  const episodes = (
    advantages: number[],
    parts: (first: TrainGroup) => Partial<TrainGroup>,
  ): TrainGroup[] => {
    const [first, ...others] = groups as [TrainGroup, ...TrainGroup[]];
    const completions = first.completions.map((one, c) => ({ ...one, advantage: advantages[c]! }));
    return [{ ...first, completions, ...parts({ ...first, completions }) }, ...others];
  };
  for (const lossNormalisation of ['sequence', 'token', 'constant'] as const) {
    // A rate at which the ratio of the second epoch is clipped, and advantages of both signs that do not cancel.
    const changes = { learningRate: 0.05, epochs: 2, lossNormalisation };
    const advantages = [3, -0.5, 0, -1];
    const after = async (parts: (first: TrainGroup) => Partial<TrainGroup>) =>
      update(onPolicy, input(changes, { groups: episodes(advantages, parts) }), quiet);
    const once = await after(() => ({ replayed }));
    const each = await after(({ completions }) => ({
      completions: completions.map((one) => ({
        ...one,
        laterTurns: [{ ...replayed[0]!, logProbs, policyLogProbs }],
      })),
    }));
    const without = await after(() => ({}));
    assert.equal(once.metrics.trainedTokens, without.metrics.trainedTokens, 'metrics are of sampled tokens');
    near(once.metrics.loss, each.metrics.loss, 1e-5, 'loss');
    near(once.metrics.gradientNorm, each.metrics.gradientNorm, 1e-4 * each.metrics.gradientNorm, 'norm');
    assert.ok(Math.abs(once.metrics.gradientNorm - without.metrics.gradientNorm) > 1e-3);
    for (const [name, moment] of each.optimizer.first)
      moment.forEach((value, i) => near(once.optimizer.first.get(name)![i]!, value, 1e-5, name));
  }
});

test('updates raise the log-prob of rewarded completions and lower that of the others', async () => {
  let parameters: ReadonlyMap<string, Float32Array> = adapter;
  let optimizer: AdamWState = freshAdamW(adapter);
  for (let i = 0; i < 5; i++)
    ({ parameters, optimizer } = await update(
      onPolicy,
      input({ learningRate: 0.01 }, { parameters, optimizer }),
      quiet,
    ));
  assert.equal(optimizer.step, 5);
  for (const { promptIds, completions } of groups) {
    const read = await scoresOf(
      programs.scoring,
      completions.map(({ tokenIds }) => [...promptIds, ...tokenIds]),
      parameters,
    );
    const change = completions.map(({ logProbs: before }, i) =>
      before.reduce((sum, logProb, t) => sum + read[i]![promptIds.length + t]! - logProb, 0),
    );
    assert.ok(change[0]! > 0.1, `rewarded: ${change[0]}`);
    assert.ok(change.slice(1).reduce((sum, each) => sum + each, 0) < 0, `others: ${change.slice(1)}`);
  }
});

test('how tokens are packed into micro-batches changes nothing but rounding', async () => {
  const whole = await update(onPolicy, input(), quiet);
  for (const tokensPerMicroBatch of [60, 30]) {
    const parts = await update(onPolicy, input({ tokensPerMicroBatch }), quiet);
    near(parts.metrics.loss, whole.metrics.loss, 1e-6, 'loss');
    near(parts.metrics.gradientNorm, whole.metrics.gradientNorm, 1e-5 * whole.metrics.gradientNorm, 'norm');
    near(parts.metrics.negativeLogProb, whole.metrics.negativeLogProb, 1e-5, 'negativeLogProb');
    assert.equal(parts.metrics.trainedTokens, whole.metrics.trainedTokens);
    for (const [name, moment] of whole.optimizer.first)
      moment.forEach((value, i) => near(parts.optimizer.first.get(name)![i]!, value, 1e-6, name));
  }
});

test('passes that would keep more than the memory budget are checkpointed, which changes no bit', async () => {
  const tokensPerMicroBatch = 60;
  const bytes = packMicroBatches(groups, tokensPerMicroBatch).map((batch) =>
    programs.training.keptBytes(prepare(batch, groups, tokenWeights(groups, 'token', 16)).symbols),
  );
  const largest = Math.max(...bytes);
  assert.ok(bytes.filter((size) => size < largest).length > 1);
  const within = async (memoryBudgetMiB: number) =>
    update(learningOf(programs, memoryBudgetMiB), input({ tokensPerMicroBatch, epochs: 2 }), quiet);
  const free = await within(largest / 2 ** 20);
  assert.equal(free.metrics.checkpointedPasses, 0);
  const tight = await within((largest - 1) / 2 ** 20);
  assert.equal(tight.metrics.checkpointedPasses, 2 * bytes.filter((size) => size === largest).length);
  const none = await within(0);
  assert.equal(none.metrics.checkpointedPasses, 2 * bytes.length);
  for (const { metrics, ...result } of [tight, none]) {
    assert.deepEqual({ ...metrics, checkpointedPasses: 0 }, free.metrics);
    assert.deepEqual(result, { parameters: free.parameters, optimizer: free.optimizer });
  }
});

test('the same update gives the same bits and leaves what it was given', async () => {
  const kept = new Map([...adapter].map(([name, data]) => [name, data.slice()]));
  const [one, other] = [await update(onPolicy, input(), quiet), await update(onPolicy, input(), quiet)];
  assert.deepEqual(one, other);
  assert.deepEqual(adapter, kept);
});

test('on policy: the loss is −Σ w A, metrics are those of the sampler', async () => {
  const { metrics } = await update(onPolicy, input({ lossNormalisation: 'sequence' }), quiet);
  // Σ over a group of A / (N G) is zero.
  near(metrics.loss, 0, 1e-6, 'loss');
  near(metrics.samplerMismatch, 0, 1e-4, 'samplerMismatch');
  const sampled = groups.flatMap(({ completions }) => completions.flatMap((each) => each.logProbs));
  const mean = sampled.reduce((sum, logProb) => sum + logProb, 0) / sampled.length;
  near(metrics.negativeLogProb, -mean, 1e-4, 'negativeLogProb');
  assert.deepEqual(
    [metrics.kl, metrics.clippedLow, metrics.clippedHigh, metrics.steps, metrics.trainedTokens],
    [0, 0, 0, 1, sampled.length],
  );
});

test('later epochs are clipped against the policy of the first', async () => {
  const changes = { epochs: 3, learningRate: 0.05 };
  const { metrics, optimizer } = await update(onPolicy, input(changes), quiet);
  assert.equal(metrics.steps, 3);
  assert.equal(optimizer.step, 3);
  const clipped = metrics.clippedLow + metrics.clippedHigh;
  assert.ok(clipped > 0 && clipped <= 2 / 3, String(clipped));
  near(metrics.samplerMismatch, 0, 1e-4, 'samplerMismatch');
});

test('KL is zero against oneself, positive against another, and holds the policy back', async () => {
  const same = { ...onPolicy, reference: adapter };
  const against = (await update(same, input({ klCoefficient: 0.1 }), quiet)).metrics;
  near(against.kl, 0, 1e-6, 'kl');
  const far = { ...onPolicy, reference: adapterNamed('other') };
  const { metrics } = await update(far, input({ klCoefficient: 0.1 }), quiet);
  assert.ok(metrics.kl > 0.01, String(metrics.kl));
  assert.ok(metrics.loss > against.loss);
});

test('untrained completions give no gradient and are not computed, but count in G', async () => {
  const untrained = groups.map((group) => ({
    ...group,
    completions: group.completions.map((each, i) => ({ ...each, trained: i !== 1 })),
  }));
  const weightless = groups.map((group) => ({
    ...group,
    completions: group.completions.map((each, i) => ({ ...each, advantage: i === 1 ? 0 : each.advantage })),
  }));
  const changes = { lossNormalisation: 'constant' } as const;
  const one = await update(onPolicy, input(changes, { groups: untrained }), quiet);
  const other = await update(onPolicy, input(changes, { groups: weightless }), quiet);
  near(one.metrics.gradientNorm, other.metrics.gradientNorm, 1e-5 * other.metrics.gradientNorm, 'norm');
  assert.ok(one.metrics.trainedTokens < other.metrics.trainedTokens);
  assert.ok(one.metrics.processedTokens < other.metrics.processedTokens);
});

test('a gradient above the clip is scaled down to it', async () => {
  const free = await update(onPolicy, input({ gradientClip: 1e9 }), quiet);
  const gradientClip = free.metrics.gradientNorm / 4;
  const clipped = await update(onPolicy, input({ gradientClip }), quiet);
  near(clipped.metrics.gradientNorm, free.metrics.gradientNorm, 1e-9, 'the norm told is the one before');
  for (const [name, moment] of free.optimizer.first)
    moment.forEach((value, i) => near(clipped.optimizer.first.get(name)![i]!, value / 4, 1e-8, name));
});

test('a loss or gradient that is not finite is a typed failure that names the step', async () => {
  const rewarded = (advantage: number): TrainGroup[] => [
    {
      ...groups[0]!,
      completions: groups[0]!.completions.map((each) => ({ ...each, advantage })),
    },
  ];
  const failsAt = (pattern: RegExp) => (error: unknown) =>
    error instanceof TypedFailure && error.type === 'NonFiniteLoss' && pattern.test(error.message);
  await assert.rejects(
    update(onPolicy, input({}, { groups: rewarded(Infinity) }), quiet),
    failsAt(/^the loss is NaN or infinite at optimizer step 1, micro-batch 0/),
  );
  // With B = 0 a huge A changes no log-prob, but the gradient of B overflows.
  const huge = new Map(
    [...adapter].map(([name, data]) => [name, data.map(() => (name.includes('lora_A') ? 1e36 : 0))]),
  );
  await assert.rejects(
    update(onPolicy, input({}, { parameters: huge, groups: rewarded(1e9) }), quiet),
    failsAt(/^the gradient of base_model\.model\.\S+lora_B\S+ is NaN or infinite at optimizer step 1/),
  );
});
