import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { drawTruncated, type Cut } from '../../../activities/policy/rollout/truncated.ts';

/** The same by sorting everything, straight from the definition. */
function kept(probabilities: readonly number[], { topK, topP }: Cut): number[] {
  const sorted = [...probabilities.keys()].sort((a, b) => probabilities[b]! - probabilities[a]! || a - b);
  const first = sorted.slice(0, topK ?? sorted.length);
  const mass = first.reduce((sum, token) => sum + probabilities[token]!, 0);
  if (topP === null) return first;
  let cumulative = 0;
  const nucleus: number[] = [];
  for (const token of first) {
    nucleus.push(token);
    cumulative += probabilities[token]!;
    if (cumulative >= topP * mass) break;
  }
  return nucleus;
}

const distribution = fc
  .array(fc.integer({ min: 0, max: 40 }), { minLength: 2, maxLength: 60 })
  .filter((exponents) => exponents.some((exponent) => exponent > 0))
  .map((exponents) => {
    // Fifteen orders of magnitude, many equals, some impossible.
    const weights = exponents.map((exponent) => (exponent === 0 ? 0 : 10 ** (-exponent / 3)));
    const total = weights.reduce((a, b) => a + b);
    return Float32Array.from(weights, (weight) => weight / total);
  });
const cut = fc.record({
  topK: fc.option(fc.integer({ min: 1, max: 20 })),
  topP: fc.option(fc.double({ min: 0.01, max: 0.999, noNaN: true })),
});

test('what is drawn is what the definition keeps, with its share of it', () => {
  fc.assert(
    fc.property(
      distribution,
      cut,
      fc.double({ min: 0, max: 1 - 2 ** -24, noNaN: true }),
      (row, options, u) => {
        const { token, probability } = drawTruncated(row, options, u);
        const expected = kept(Array.from(row), options);
        const mass = expected.reduce((sum, one) => sum + row[one]!, 0);
        assert.ok(expected.includes(token) && row[token]! > 0, `${token} of ${String(expected)}`);
        assert.ok(Math.abs(probability - row[token]! / mass) < 1e-12);
      },
    ),
    { numRuns: 2000 },
  );
});

test('frequencies follow what is left after the cut', () => {
  const row = Float32Array.of(0.1, 0.4, 0.2, 0.25, 0.05);
  const draws = 1000;
  const counts = new Map<number, number>();
  for (let i = 0; i < draws; i++) {
    const { token } = drawTruncated(row, { topK: 3, topP: 0.8 }, i / draws);
    counts.set(token, (counts.get(token) ?? 0) + 1);
  }
  // Top 3 are 1, 3, 2 with 0.85 together; 80 % of that is 0.68, so 1, 3 and 2 stay (0.4 + 0.25 < 0.68).
  assert.deepEqual([...counts.keys()], [1, 3, 2]);
  assert.ok(Math.abs(counts.get(1)! / draws - 0.4 / 0.85) < 0.002);
});

test('top-p beside top-k is a share of what top-k leaves, also when fewer than k are likely', () => {
  // The first has 60.003 % of the first three, and only 60 % of all.
  const row = Float32Array.of(0.6, 0.3999, ...new Array<number>(10).fill(0.00001));
  const draw = (topK: number | null) => drawTruncated(row, { topK, topP: 0.60003 }, 0.9).token;
  assert.deepEqual([draw(3), draw(null)], [0, 1]);
});

test('without a cut every token is drawn as it is likely; one alone is the likeliest', () => {
  const row = Float32Array.of(0.5, 0, 0.5, 0);
  const none = { topK: null, topP: null };
  assert.deepEqual(
    [0, 0.49, 0.51, 0.999].map((u) => drawTruncated(row, none, u).token),
    [0, 0, 2, 2],
  );
  assert.deepEqual(drawTruncated(row, { topK: 1, topP: null }, 0.99), { token: 0, probability: 1 });
});

test('a row that is no distribution gives no probability', () => {
  const broken = new Float32Array(5).fill(NaN);
  for (const options of [
    { topK: null, topP: null },
    { topK: 2, topP: null },
    { topK: null, topP: 0.5 },
  ])
    assert.ok(!(drawTruncated(broken, options, 0.5).probability > 0));
});
