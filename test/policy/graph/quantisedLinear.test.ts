import assert from 'node:assert/strict';
import { test } from 'node:test';
import { symbol } from '../../../activities/policy/graph/dims.ts';
import { Graph } from '../../../activities/policy/graph/graph.ts';
import {
  linear,
  loraLinears,
  quantisedLinear,
  quantiseWeight,
} from '../../../activities/policy/graph/ops/index.ts';
import { Program } from '../../../activities/policy/graph/program.ts';
import { randomArray } from '../tinyCheckpoint.ts';

const outputs = 48;
const rank = 2;

/** `plain`: x Wᵀ of rows of this width, for any number of rows; `adapted`: with a bias and an adapter; both also exact. */
async function products(width: number, weight: Float32Array) {
  const quantising = new Graph();
  const made = quantiseWeight(quantising.input('weight', 'float32', [outputs, width]));
  quantising.output('codes', made.codes);
  quantising.output('steps', made.steps);
  const quantiser = await Program.create(quantising, { threads: 1 });
  const { codes, steps } = await quantiser.run({}, { weight });
  await quantiser.release();

  const graph = new Graph();
  const x = graph.input('x', 'float32', [symbol('T'), width]);
  const constant = (name: string, shape: number[], deviation: number) =>
    graph.weight(name, shape, randomArray(name, shape[0]! * (shape[1] ?? 1), deviation));
  const bias = constant('bias', [outputs], 1);
  const lora = { a: constant('a', [rank, width], 0.1), b: constant('b', [outputs, rank], 0.1), scale: 1.5 };
  const rounded = {
    codes: graph.weight('codes', [width, outputs], new Int8Array(codes!)),
    steps: graph.weight('steps', [outputs], steps!),
  };
  const whole = graph.weight('weight', [outputs, width], weight);
  graph.output('plain', quantisedLinear(x, rounded));
  graph.output('plainExact', linear(x, whole));
  graph.output('adapted', quantisedLinear(x, rounded, bias, lora));
  graph.output('adaptedExact', loraLinears(x, [{ weight: whole, bias, ...lora }])[0]!);
  return Program.create(graph, { threads: 2 });
}

const meanSquare = (numbers: Float32Array) =>
  numbers.reduce((sum, number) => sum + number * number, 0) / numbers.length;
/** Root mean square of the difference, as a share of the second's. */
const relativeError = (found: Float32Array, exact: Float32Array) =>
  Math.sqrt(meanSquare(found.map((number, i) => number - exact[i]!)) / meanSquare(exact));

// Widths with rotations of 64, 8 and 1.
for (const width of [576, 40, 33])
  test(`a product over ${width} channels is off by the rounding to 8 bits only`, async () => {
    const weight = randomArray('weight', outputs * width, 1 / Math.sqrt(width));
    const program = await products(width, weight);
    const results = await program.run({ T: 7 }, { x: randomArray('x', 7 * width, 1) });
    await program.release();
    const plain = relativeError(results['plain']!, results['plainExact']!);
    assert.ok(plain > 1e-3 && plain < 0.015, `relative error ${plain}`);
    const adapted = relativeError(results['adapted']!, results['adaptedExact']!);
    assert.ok(adapted < plain, `relative error ${adapted} with what stays in float32`);
  });

test('a channel far larger than the others costs these little', async () => {
  const width = 576;
  const weight = randomArray('weight', outputs * width, 1 / Math.sqrt(width));
  const x = randomArray('x', 4 * width, 1);
  // Its weights are zero, so that the product shows what is left of the others.
  for (let row = 0; row < outputs; row++) weight[row * width + 70] = 0;
  for (let row = 0; row < 4; row++) x[row * width + 70] = 100;
  const program = await products(width, weight);
  const { plain, plainExact } = await program.run({ T: 4 }, { x });
  await program.release();
  // Rounded to 127ths of 100 without a rotation, the others would be off by 0.23.
  const error = relativeError(plain!, plainExact!);
  assert.ok(error < 0.08, `relative error ${error}`);
});

test('a row is the same alone and beside any others, to the bit', async () => {
  const width = 576;
  const program = await products(width, randomArray('weight', outputs * width, 1 / Math.sqrt(width)));
  const x = randomArray('x', 5 * width, 1);
  x.fill(1e4, 4 * width);
  const { plain: together } = await program.run({ T: 5 }, { x });
  for (let row = 0; row < 5; row++) {
    const { plain: alone } = await program.run({ T: 1 }, { x: x.slice(row * width, (row + 1) * width) });
    assert.deepEqual(alone, together!.slice(row * outputs, (row + 1) * outputs));
  }
  await program.release();
});

test('a row of zeros gives the bias; a row that is not finite stays so, and its neighbours are', async () => {
  for (const width of [576, 40]) {
    const program = await products(width, randomArray('weight', outputs * width, 1 / Math.sqrt(width)));
    for (const bad of [NaN, Infinity]) {
      const x = randomArray('x', 3 * width, 1);
      x.fill(0, 0, width);
      x[width + 3] = bad;
      const { adapted, plain } = await program.run({ T: 3 }, { x });
      assert.deepEqual(adapted!.slice(0, outputs), randomArray('bias', outputs, 1));
      assert.ok(plain!.slice(outputs, 2 * outputs).every((number) => !Number.isFinite(number)));
      assert.ok(adapted!.slice(2 * outputs).every(Number.isFinite));
    }
    await program.release();
  }
});

test('what is tracked is refused: there is no gradient', () => {
  const graph = new Graph();
  const weight = {
    codes: graph.weight('codes', [4, 3], new Int8Array(12)),
    steps: graph.weight('steps', [3], new Float32Array(3)),
  };
  const [x, tracked] = [false, true].map((track) => graph.input(`x ${track}`, 'float32', [2, 4], track));
  const [a, b] = [graph.input('a', 'float32', [1, 4], true), graph.input('b', 'float32', [3, 1], true)];
  assert.throws(() => quantisedLinear(tracked!, weight), /no gradient, but 'x true'/);
  assert.throws(() => quantisedLinear(x!, weight, null, { a, b, scale: 1 }), /or its adapter is tracked/);
  assert.throws(() => quantisedLinear(graph.input('narrow', 'float32', [2, 5]), weight), /needs \[5, 3\]/);
});
