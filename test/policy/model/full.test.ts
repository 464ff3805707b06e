import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes, completionsOf, fixture, fullPolicyOf, golden, groupsOf, plainObjective } from './golden.ts';
import type { GoldenGroup } from './golden.ts';
import { byReading, bySampling, byScoring, byTraining, cosine, largestDifference } from './paths.ts';

// What the fixtures hold and how they were made: test/fixtures/policy/README.md.

type GoldenFull = Record<string, { groups: GoldenGroup[]; gradients: Record<string, string> }>;
const models = await golden<GoldenFull>('full.json');

for (const [name, { groups, gradients }] of Object.entries(models)) {
  test(`${name}: gradients of all weights equal those of PyTorch in double precision`, async () => {
    const policy = await fullPolicyOf(fixture(name).pathname);
    assert.deepEqual(Object.keys(gradients).sort(), Object.keys(policy.tensors).sort());
    const results = await byTraining(policy, groupsOf(groups), plainObjective(groups));
    const logProbs = completionsOf(groups).flatMap((completion) => completion.logProbs);
    assert.ok(largestDifference(results['logProbs']!, logProbs) <= 1e-4);
    for (const [tensor, packed] of Object.entries(gradients)) {
      const [gradient, reference] = [results[`gradient.${tensor}`]!, new Float32Array(bytes(packed))];
      assert.ok(cosine(gradient, reference) >= 0.99999, `${tensor}: ${cosine(gradient, reference)}`);
      const ratio = Math.hypot(...gradient) / Math.hypot(...reference);
      assert.ok(Math.abs(ratio - 1) <= 1e-3, `${tensor}: norm is ${ratio} of the expected`);
    }
    assert.deepEqual(await byTraining(policy, groupsOf(groups), plainObjective(groups)), results);
  });

  test(`${name}: sampling, scoring, reading and training with weights of its own are one model`, async () => {
    const policy = await fullPolicyOf(fixture(name).pathname);
    const scored = await byScoring(policy, groupsOf(groups));
    const trained = await byTraining(policy, groupsOf(groups), plainObjective(groups));
    assert.ok(largestDifference(await bySampling(policy, groupsOf(groups)), scored) <= 1e-4);
    assert.ok(largestDifference(await byReading(policy, groupsOf(groups)), scored) <= 1e-4);
    assert.ok(largestDifference(trained['logProbs']!, scored) <= 1e-4);
  });
}
