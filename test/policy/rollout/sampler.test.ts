import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyOf, uniform } from '../../../activities/random.ts';
import { sampleToken } from '../../../activities/policy/rollout/sampler.ts';

test('a token is where the cumulative distribution passes u, in its own row', () => {
  const probabilitiesBV = Float32Array.of(0.25, 0.25, 0.5, 0, 0.5, 0.5);
  assert.deepEqual(
    [0, 0.2499, 0.25, 0.4999, 0.5, 0.9999].map((u) => sampleToken(probabilitiesBV, 0, 3, u)),
    [0, 0, 1, 1, 2, 2],
  );
  assert.deepEqual(
    [0, 0.4999, 0.5].map((u) => sampleToken(probabilitiesBV, 1, 3, u)),
    [1, 1, 2],
  );
});

test('tokens of probability zero are never chosen, wherever they stand', () => {
  const row = Float32Array.of(0, 0.5, 0, 0.5, 0);
  for (const u of [0, 0.4999999, 0.5, 0.75, 1 - 2 ** -53]) {
    const token = sampleToken(row, 0, 5, u);
    assert.ok(token === 1 || token === 3, `u = ${u} chose ${token}`);
  }
});

test('a sum that rounding left below u gives the last possible token', () => {
  const short = Float32Array.of(0.3, 0.6999, 0, 0);
  assert.equal(sampleToken(short, 0, 4, 1 - 2 ** -53), 1);
});

test('a row that is no distribution is told apart', () => {
  assert.equal(sampleToken(Float32Array.of(NaN, NaN), 0, 2, 0.5), -1);
  assert.equal(sampleToken(Float32Array.of(0, 0), 0, 2, 0.5), -1);
});

test('frequencies follow the probabilities', () => {
  const probabilities = Float32Array.of(0.5, 0.125, 0.25, 0.125);
  const draws = 20_000;
  const counts = [0, 0, 0, 0];
  const key = keyOf(['sampler test']);
  for (let i = 0; i < draws; i++) counts[sampleToken(probabilities, 0, 4, uniform(key, i))]!++;
  const chiSquare = counts.reduce((sum, count, token) => {
    const expected = probabilities[token]! * draws;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
  assert.ok(chiSquare < 16.3, `χ² = ${chiSquare} (3 degrees of freedom, p = 0.001)`);
});
