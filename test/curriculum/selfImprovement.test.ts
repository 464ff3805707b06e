import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selfImprovement as resampled } from '../../activities/curriculum/selfImprovement.ts';

const selfImprovement = (qualitiesKPS: number[][][], seed: number) =>
  resampled(qualitiesKPS, seed, () => Promise.resolve());

test('accuracy, corrected, broken and Δ_K', async () => {
  // Four problems, two samples each, depths 0, 1, 2.
  const result = await selfImprovement(
    [
      [
        [1, 0],
        [0, 0],
        [1, 1],
        [0, 1],
      ],
      [
        [1, 1],
        [0, 0],
        [1, 0],
        [0, 1],
      ],
      [
        [1, 1],
        [1, 1],
        [0, 0],
        [0, 1],
      ],
    ],
    1,
  );
  assert.deepEqual(
    result.accuracyK.map(({ value }) => value),
    [0.5, 0.5, 0.625],
  );
  assert.deepEqual(result.passK, [0.75, 0.75, 0.75]);
  assert.deepEqual(result.correctedK, [0, 1, 3]);
  assert.deepEqual(result.brokenK, [0, 1, 2]);
  assert.equal(result.delta.value, 1 / 8);
  for (const { value, low, high } of [...result.accuracyK, result.delta])
    assert.ok(low <= value && value <= high);
});

test('the interval over problems has the width of the binomial, and is the seed’s alone', async () => {
  const problems = Array.from({ length: 200 }, (_, problem) => [problem < 80 ? 1 : 0]);
  const { accuracyK, delta } = await selfImprovement([problems, problems], 3);
  const { low, high, value } = accuracyK[0]!;
  const deviation = Math.sqrt((0.4 * 0.6) / 200);
  assert.equal(value, 0.4);
  assert.ok(Math.abs(high - low - 2 * 1.96 * deviation) < 0.03, `${low} ${high}`);
  assert.deepEqual(delta, { value: 0, low: 0, high: 0 });
  assert.deepEqual(
    await selfImprovement([problems, problems], 3),
    await selfImprovement([problems, problems], 3),
  );
  const graded = problems.map((_, problem) => [problem / 199]);
  assert.notDeepEqual(await selfImprovement([graded], 3), await selfImprovement([graded], 4));
});

test('an evaluation without problems has no NaN', async () => {
  const { accuracyK } = await selfImprovement([[], []], 1);
  assert.deepEqual(accuracyK[1], { value: 0, low: 0, high: 0 });
});

test('whoever computes for long lets others in before each interval', async () => {
  let breaths = 0;
  const breathe = () => Promise.resolve(void breaths++);
  await resampled([[[0]], [[1]], [[1]]], 1, breathe);
  assert.equal(breaths, 4); // three depths and Δ
});
