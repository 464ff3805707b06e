import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layoutPrompts, layoutTexts } from '../../../activities/policy/model/layout.ts';
import { Past } from '../../../activities/policy/model/past.ts';
import {
  arrangeWeights,
  prefillProgram,
  textLogProbProgram,
} from '../../../activities/policy/model/programs.ts';
import { openCheckpoint } from '../../../activities/policy/weights/checkpoint.ts';
import { modelPath } from '../model.ts';
import {
  bytes,
  completionsOf,
  fixture,
  golden,
  groupsOf,
  perToken,
  plainObjective,
  policyOf,
  type GoldenGroup,
} from './golden.ts';
import { byTraining, cosine, largestDifference, type Objective } from './paths.ts';

// What the fixtures hold and how they were made: test/fixtures/policy/README.md.

interface GoldenPosition {
  position: number;
  argmax: number;
  topIds: number[];
  topLogits: number[];
  sampleLogits: number[];
}
interface GoldenLogits {
  sampleIds: number[];
  prompts: { promptIds: number[]; positions: GoldenPosition[]; greedy: number[] }[];
  text: { ids: number[]; logProbs: number[] };
}
interface GoldenLora {
  rank: number;
  alpha: number;
  groups: GoldenGroup[];
  loss: number;
  gradients: Record<string, { norm: number; entries: number[]; whole?: string }>;
}
interface GoldenTiny {
  rank: number;
  alpha: number;
  clipRatio: number;
  klCoefficient: number;
  groups: GoldenGroup[];
  loss: number;
  clipFraction: number;
  kl: number;
  logits: { ids: number[]; base: string; adapted: string };
  gradients: Record<string, string>;
}

test('logits of the real model equal those of transformers', async () => {
  const { sampleIds, prompts, text } = await golden<GoldenLogits>('logits.json');
  const weights = arrangeWeights(await openCheckpoint(await modelPath()));
  const vocabulary = weights.config.vocabulary;
  const past = Past.none(weights.config);
  const prefill = await prefillProgram(weights, null, { threads: 2 }, 'distribution');
  for (const { promptIds, positions, greedy } of prompts) {
    // One row for each position asked for, and one that ends in the greedy continuation's last step.
    const prefixes = positions.map(({ position }) => promptIds.slice(0, position + 1));
    const layout = layoutPrompts([...prefixes, [...promptIds, ...greedy.slice(0, -1)]]);
    const temperature = new Float32Array(prefixes.length + 1).fill(1);
    const { logits } = await prefill.run(layout.symbols, { ...layout.feeds, ...past.feeds, temperature });
    const rowOf = (row: number) => logits!.subarray(row * vocabulary, (row + 1) * vocabulary);
    positions.forEach((expected, row) => {
      const found = rowOf(row);
      const at = (ids: number[]) => ids.map((id) => found[id]!);
      const distance = Math.max(
        largestDifference(at(expected.topIds), expected.topLogits),
        largestDifference(at(sampleIds), expected.sampleLogits),
      );
      assert.ok(distance <= 2e-3, `position ${expected.position}: logits differ by ${distance}`);
      assert.equal(found.indexOf(Math.max(...found)), expected.argmax);
    });
    const last = rowOf(positions.length);
    assert.equal(last.indexOf(Math.max(...last)), greedy.at(-1));
  }
  await prefill.release();

  const reading = await textLogProbProgram(weights, null, { threads: 2 });
  const layout = layoutTexts([text.ids]);
  const { logProbs } = await reading.run(layout.symbols, {
    ...layout.feeds,
    ...past.feeds,
    temperature: Float32Array.of(1),
  });
  await reading.release();
  assert.ok(largestDifference(logProbs!, text.logProbs) <= 2e-3);
});

test('adapter gradients of the real model equal those of PyTorch and PEFT in double precision', async () => {
  const expected = await golden<GoldenLora>('lora.json');
  const policy = await policyOf(await modelPath(), expected);
  const results = await byTraining(policy, groupsOf(expected.groups), plainObjective(expected.groups));
  const logProbs = completionsOf(expected.groups).flatMap((completion) => completion.logProbs);
  assert.ok(largestDifference(results['logProbs']!, logProbs) <= 1e-3);
  for (const [name, { norm, entries, whole }] of Object.entries(expected.gradients)) {
    const gradient = results[`gradient.${name}`]!;
    const ratio = Math.hypot(...gradient) / norm;
    assert.ok(Math.abs(ratio - 1) <= 1e-3, `${name}: norm is ${ratio} of the expected`);
    const stride = Math.floor(gradient.length / entries.length);
    const sampled = entries.map((_, i) => gradient[i * stride]!);
    assert.ok(
      cosine(sampled, entries) >= 0.99999,
      `${name}: cosine ${cosine(sampled, entries)} of its samples`,
    );
    if (whole) {
      const all = new Float32Array(bytes(whole));
      assert.equal(all.length, gradient.length);
      assert.ok(cosine(gradient, all) >= 0.99999, `${name}: cosine ${cosine(gradient, all)}`);
    }
  }
});

test('the clipped objective of a tiny model and all its gradients equal those of PyTorch', async () => {
  const expected = await golden<GoldenTiny>('tiny.json');
  const policy = await policyOf(fixture('tiny.gguf').pathname, expected);
  const completions = completionsOf(expected.groups);
  const objective: Objective = {
    advantages: perToken(expected.groups, ({ advantage }) => advantage),
    tokenWeights: perToken(expected.groups, ({ weight }) => weight),
    oldLogProbs: completions.flatMap(({ oldLogProbs }) => oldLogProbs!),
    referenceLogProbs: completions.flatMap(({ referenceLogProbs }) => referenceLogProbs!),
    clipRatio: { low: expected.clipRatio, high: expected.clipRatio },
    klCoefficient: expected.klCoefficient,
    onPolicy: false,
    importanceCap: null,
  };
  const results = await byTraining(policy, groupsOf(expected.groups), objective);
  const mean = (values: Float32Array) => values.reduce((a, b) => a + b, 0) / values.length;
  assert.ok(
    largestDifference(
      results['logProbs']!,
      completions.flatMap(({ logProbs }) => logProbs),
    ) < 1e-4,
  );
  assert.ok(Math.abs(results['loss']![0]! - expected.loss) < 1e-5);
  assert.ok(Math.abs(mean(results['kl']!) - expected.kl) < 1e-5);
  const clipped = mean(results['clippedLow']!) + mean(results['clippedHigh']!);
  assert.ok(Math.abs(clipped - expected.clipFraction) < 1e-6);
  assert.deepEqual(Object.keys(expected.gradients).sort(), Object.keys(policy.tensors).sort());
  for (const [name, packed] of Object.entries(expected.gradients)) {
    const gradient = results[`gradient.${name}`]!;
    const reference = new Float64Array(bytes(packed));
    assert.ok(cosine(gradient, reference) >= 0.999999, `${name}: cosine ${cosine(gradient, reference)}`);
    const ratio = Math.hypot(...gradient) / Math.hypot(...reference);
    assert.ok(Math.abs(ratio - 1) <= 1e-4, `${name}: norm is ${ratio} of the expected`);
  }
});

test('logits of a tiny model with and without an adapter equal those of PEFT at every position', async () => {
  const expected = await golden<GoldenTiny>('tiny.json');
  const policy = await policyOf(fixture('tiny.gguf').pathname, expected);
  const { ids, base, adapted } = expected.logits;
  const layout = layoutPrompts(ids.map((_, i) => ids.slice(0, i + 1)));
  const past = Past.none(policy.weights.config);
  const temperature = new Float32Array(ids.length).fill(1);
  for (const [packed, trainable, tensors] of [
    [base, null, {}],
    [adapted, policy.trainable, policy.tensors],
  ] as const) {
    const prefill = await prefillProgram(policy.weights, trainable, { threads: 2 }, 'distribution');
    const { logits } = await prefill.run(layout.symbols, {
      ...layout.feeds,
      ...past.feeds,
      ...tensors,
      temperature,
    });
    await prefill.release();
    assert.ok(largestDifference(logits!, new Float32Array(bytes(packed))) < 1e-4);
  }
});
