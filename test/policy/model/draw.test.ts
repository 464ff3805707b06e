import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Graph } from '../../../activities/policy/graph/graph.ts';
import { symbol } from '../../../activities/policy/graph/dims.ts';
import { Program } from '../../../activities/policy/graph/program.ts';
import { drawTokens } from '../../../activities/policy/model/draw.ts';
import { keyOf, stream, uniform } from '../../../activities/random.ts';

const largest = 1 - 2 ** -24;

/** Draws `uniformsNG` from `rows`, all of one length. */
async function draw(rows: readonly ArrayLike<number>[], uniformsNG: readonly (readonly number[])[]) {
  const vocabulary = rows[0]!.length;
  const graph = new Graph();
  const [N, G] = [symbol('N'), symbol('G')];
  const distribution = graph.input('distribution', 'float32', [N, vocabulary]);
  const { tokens, probabilities } = drawTokens(distribution, graph.input('uniforms', 'float32', [N, G]));
  graph.output('tokens', tokens);
  graph.output('probabilities', probabilities);
  const program = await Program.create(graph, { threads: 2 });
  const drawn = await program.run(
    { N: rows.length, G: uniformsNG[0]!.length },
    {
      distribution: Float32Array.from(rows.flatMap((row) => Array.from(row))),
      uniforms: Float32Array.from(uniformsNG.flat()),
    },
  );
  await program.release();
  return { tokens: [...drawn['tokens']!], probabilities: [...drawn['probabilities']!] };
}

test('a token is where the cumulative distribution passes u, in its own row', async () => {
  const { tokens, probabilities } = await draw(
    [
      [0.25, 0.25, 0.5, 0],
      [0, 0.5, 0, 0.5],
    ],
    [
      [0, 0.2499, 0.25, 0.4999, 0.5, largest],
      [0, 0.2499, 0.25, 0.4999, 0.5, largest],
    ],
  );
  assert.deepEqual(tokens, [0, 0, 1, 1, 2, 2, 1, 1, 1, 1, 3, 3]);
  assert.deepEqual(probabilities, [0.25, 0.25, 0.25, 0.25, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
});

test('a sum that rounding left below u gives the last possible token', async () => {
  const short = [0.3, 0.6999, 0, 0, 0, 0];
  assert.deepEqual((await draw([short], [[largest]])).tokens, [1]);
});

test('a row that is no distribution gives no probability', async () => {
  const { probabilities } = await draw(
    [new Array<number>(6).fill(NaN), [0.5, 0.5, 0, 0, 0, 0]],
    [[0.5], [0]],
  );
  assert.ok(!(probabilities[0]! > 0));
  assert.equal(probabilities[1], 0.5);
});

// 49,152 = 192 · 256; 97 is prime; 2 · 4,999 has no middling divisor; 151,936 is Qwen's.
for (const vocabulary of [97, 9_998, 49_152, 151_936])
  test(`with ${vocabulary} tokens the draw is that of the cumulative sum in double precision`, async () => {
    const next = stream(['draw test', vocabulary]);
    // Peaked, with many tokens of probability zero: as models give them.
    const rows = Array.from({ length: 3 }, () => {
      const weights = Array.from({ length: vocabulary }, () => Math.max(0, Math.exp(12 * next()) - 8));
      const total = weights.reduce((a, b) => a + b);
      return Float32Array.from(weights, (weight) => weight / total);
    });
    const draws = 64;
    const uniformsNG = rows.map((_, row) =>
      Array.from({ length: draws }, (_, i) => Math.floor(uniform(keyOf(['u', row]), i) * 2 ** 24) / 2 ** 24),
    );
    const { tokens, probabilities } = await draw(rows, uniformsNG);
    rows.forEach((row, n) => {
      const cumulative: number[] = [];
      row.reduce((sum, p, i) => (cumulative[i] = sum + p), 0);
      uniformsNG[n]!.forEach((u, g) => {
        const token = tokens[n * draws + g]!;
        assert.equal(probabilities[n * draws + g], row[token]);
        assert.ok(row[token]! > 0);
        // Single precision may move a boundary by this much, no further.
        const slack = 3e-6;
        assert.ok(u <= cumulative[token]! + slack, `u ${u} of token ${token}`);
        assert.ok(u >= cumulative[token]! - row[token]! - slack, `u ${u} of token ${token}`);
      });
    });
  });

test('frequencies follow the probabilities', async () => {
  const probabilities = [0.5, 0.125, 0.25, 0.125];
  const draws = 20_000;
  const key = keyOf(['draw frequencies']);
  const { tokens } = await draw([probabilities], [Array.from({ length: draws }, (_, i) => uniform(key, i))]);
  const chiSquare = probabilities.reduce((sum, probability, token) => {
    const expected = probability * draws;
    const count = tokens.filter((drawn) => drawn === token).length;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
  assert.ok(chiSquare < 16.3, `χ² = ${chiSquare} (3 degrees of freedom, p = 0.001)`);
});
