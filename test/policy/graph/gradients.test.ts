import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gradients } from '../../../activities/policy/graph/autodiff.ts';
import { product, sum as sumDims, symbol } from '../../../activities/policy/graph/dims.ts';
import { Graph } from '../../../activities/policy/graph/graph.ts';
import { operations } from '../../../activities/policy/graph/operation.ts';
import * as ops from '../../../activities/policy/graph/ops/index.ts';
import { checkGradient, type GradientCase } from './gradientCheck.ts';

const [N, M, S, T] = [symbol('N'), symbol('M'), symbol('S'), symbol('T')];

const placement = {
  slots: { shape: [T], integers: [1, 4, 0] },
  rows: { shape: [S], integers: [2, 0, 0, 0, 1] },
  taken: { shape: [S, 1], numbers: [1, 1, 0, 0, 1] },
};

/** At least one check for every operation; further ones say what they are about after its name. */
const cases: Record<string, GradientCase> = {
  add: {
    symbols: { N: 3 },
    tracked: { a: [2, N, 4], b: [N, 1] },
    apply: ({ a, b }) => ops.add(a!, b!),
  },
  subtract: {
    symbols: { N: 3 },
    tracked: { a: [N, 1], b: [2, N, 4] },
    apply: ({ a, b }) => ops.subtract(a!, b!),
  },
  multiply: {
    symbols: { N: 3 },
    tracked: { a: [2, N, 4], b: [1, N, 1] },
    apply: ({ a, b }) => ops.multiply(a!, b!),
  },
  'multiply square': { tracked: { a: [3, 2] }, apply: ({ a }) => ops.multiply(a!, a!) },
  divide: {
    tracked: { a: [2, 3], b: [3] },
    apply: ({ a, b }) => ops.divide(a!, ops.add(b!, 3)),
  },
  negate: { tracked: { x: [3, 2] }, apply: ({ x }) => ops.negate(x!) },
  exp: { tracked: { x: [3, 2] }, apply: ({ x }) => ops.exp(x!) },
  minimum: {
    tracked: { a: [4], b: [2, 4] },
    at: { a: [0.1, -2, 0.7, 3], b: [0.4, 1, -0.5, 0, -1, -1, 2, 5] },
    apply: ({ a, b }) => ops.minimum(a!, b!),
  },
  clamp: {
    tracked: { x: [5] },
    at: { x: [-2, -0.3, 0, 0.2, 0.8] },
    apply: ({ x }) => ops.clamp(x!, -0.5, 0.4),
  },
  k3: { tracked: { d: [3, 4] }, apply: ({ d }) => ops.k3(d!) },
  reshape: {
    symbols: { N: 2, M: 3 },
    tracked: { x: [product(N, M), 4] },
    apply: ({ x }) => ops.reshape(x!, [N, M, 2, 2]),
  },
  transpose: {
    symbols: { N: 2, M: 3 },
    tracked: { x: [N, M, 4] },
    apply: ({ x }) => ops.transpose(x!, [2, 0, 1]),
  },
  split: {
    symbols: { N: 2, M: 3 },
    tracked: { x: [sumDims(N, M), 2] },
    apply: ({ x }) => ops.split(x!, [N, M], 0),
  },
  'split, one part unused': {
    symbols: { N: 2, M: 3 },
    tracked: { x: [sumDims(N, M), 2] },
    apply: ({ x }) => ops.split(x!, [N, M], 0)[1]!,
  },
  concat: {
    symbols: { N: 2, M: 3 },
    tracked: { a: [2, N], b: [2, M] },
    apply: ({ a, b }) => ops.concat([a!, b!], 1),
  },
  sum: { symbols: { N: 3 }, tracked: { x: [2, N, 4] }, apply: ({ x }) => ops.sum(x!, [0, 2]) },
  softmax: { tracked: { x: [3, 5] }, apply: ({ x }) => ops.softmax(x!) },
  linear: {
    symbols: { N: 3 },
    tracked: { x: [N, 4], w: [5, 4] },
    apply: ({ x, w }) => ops.linear(x!, w!),
  },
  'linear with bias': {
    symbols: { N: 3 },
    tracked: { x: [N, 4], w: [5, 4], bias: [5] },
    apply: ({ x, w, bias }) => ops.linear(x!, w!, bias!),
  },
  'loraLinears, two of one input, one with a bias': {
    symbols: { N: 3 },
    tracked: { x: [N, 4], a: [2, 4], b: [5, 2], a2: [3, 4], b2: [6, 3] },
    fixed: { w: [5, 4], w2: [6, 4], bias: [6] },
    apply: ({ x, w, a, b, w2, a2, b2, bias }) =>
      ops.loraLinears(x!, [
        { weight: w!, bias: null, a: a!, b: b!, scale: 1.5 },
        { weight: w2!, bias: bias!, a: a2!, b: b2!, scale: 0.5 },
      ]),
  },
  'loraLinears, one left unused': {
    symbols: { N: 3 },
    tracked: { x: [N, 4], a: [2, 4], b: [5, 2] },
    fixed: { w: [5, 4], a2: [3, 4], b2: [6, 3], w2: [6, 4] },
    apply: ({ x, w, a, b, w2, a2, b2 }) =>
      ops.loraLinears(x!, [
        { weight: w2!, bias: null, a: a2!, b: b2!, scale: 0.5 },
        { weight: w!, bias: null, a: a!, b: b!, scale: 1.5 },
      ])[1]!,
  },
  rmsNorm: {
    symbols: { N: 3 },
    tracked: { x: [N, 6] },
    fixed: { w: [6] },
    apply: ({ x, w }) => ops.rmsNorm(x!, w!, 1e-2),
  },
  'rmsNorm with its weight': {
    symbols: { N: 3 },
    tracked: { x: [2, N, 6], w: [6] },
    apply: ({ x, w }) => ops.rmsNorm(x!, w!, 1e-2),
  },
  'rmsNorm, only its weight': {
    symbols: { N: 3 },
    tracked: { w: [6] },
    fixed: { x: [N, 6] },
    apply: ({ x, w }) => ops.rmsNorm(x!, w!, 1e-2),
  },
  rotary: {
    symbols: { N: 3 },
    tracked: { x: [N, 8] },
    fixed: { positions: { shape: [N, 1], integers: [4, 0, 2] }, cosine: [5, 2], sine: [5, 2] },
    apply: ({ x, positions, cosine, sine }) => ops.rotary(x!, positions!, { cosine: cosine!, sine: sine! }),
  },
  swiglu: { tracked: { gate: [3, 4], up: [3, 4] }, apply: ({ gate, up }) => ops.swiglu(gate!, up!) },
  gatherRows: {
    symbols: { N: 3, M: 4 },
    tracked: { x: [N, 2] },
    fixed: { index: { shape: [M], integers: [2, 0, 2, 2] } },
    apply: ({ x, index }) => ops.gatherRows(x!, index!),
  },
  embed: {
    symbols: { M: 5 },
    tracked: { table: [4, 3] },
    fixed: { ids: { shape: [M], integers: [2, 0, 2, 3, 2] } },
    apply: ({ table, ids }) => ops.embed(table!, ids!),
  },
  // Rows 0, 1, 2 in slots 1, 4, 0 of 5; the two empty slots get no weight, as the contract demands.
  spreadRows: {
    symbols: { T: 3, S: 5 },
    tracked: { x: [T, 2] },
    fixed: placement,
    apply: ({ x, slots, rows, taken }) =>
      ops.multiply(ops.spreadRows(x!, { slots: slots!, rows: rows!, taken: taken! }), taken!),
  },
  packRows: {
    symbols: { T: 3, S: 5 },
    tracked: { x: [S, 2] },
    fixed: placement,
    apply: ({ x, slots, rows, taken }) => ops.packRows(x!, { slots: slots!, rows: rows!, taken: taken! }),
  },
  targetLogProb: {
    symbols: { N: 3, M: 2 },
    tracked: { x: [product(N, M), 4] },
    fixed: { table: [7, 4], targets: { shape: [product(N, M)], integers: [6, 1, 1, 0, 3, 6] } },
    apply: ({ x, table, targets }) => ops.targetLogProb(x!, table!, targets!, N, M)[0]!,
  },
  'targetLogProb with its table': {
    symbols: { N: 3, M: 2 },
    tracked: { x: [product(N, M), 4], table: [7, 4] },
    fixed: { targets: { shape: [product(N, M)], integers: [6, 1, 1, 0, 3, 6] } },
    apply: ({ x, table, targets }) => ops.targetLogProb(x!, table!, targets!, N, M)[0]!,
  },
  'targetLogProb and embed of one table': {
    symbols: { N: 2, M: 3 },
    tracked: { table: [7, 4] },
    fixed: {
      ids: { shape: [product(N, M)], integers: [5, 1, 1, 0, 3, 1] },
      targets: { shape: [product(N, M)], integers: [1, 1, 0, 3, 1, 6] },
    },
    apply: ({ table, ids, targets }) =>
      ops.targetLogProb(ops.embed(table!, ids!), table!, targets!, N, M)[0]!,
  },
  'attention over its own keys': {
    symbols: { N: 2, M: 3 },
    tracked: { q: [N, 2, 1, 2, M, 4], keys: [N, 2, M, 4], values: [N, 2, M, 4] },
    fixed: { mask: [M, M] },
    apply: ({ q, keys, values, mask }) => ops.attention(q!, [{ keys: keys!, values: values!, mask: mask! }]),
  },
  'attention over a shared and an own segment': {
    symbols: { N: 2, M: 2, S: 3 },
    tracked: {
      q: [N, 1, 3, 2, M, 4],
      sharedKeys: [N, 1, S, 4],
      sharedValues: [N, 1, S, 4],
      keys: [N, 1, 3, M, 4],
      values: [N, 1, 3, M, 4],
    },
    fixed: { mask: [N, 1, 1, 1, 1, S] },
    apply: ({ q, sharedKeys, sharedValues, keys, values, mask }) =>
      ops.attention(q!, [
        { keys: sharedKeys!, values: sharedValues!, mask: mask! },
        { keys: keys!, values: values!, mask: null },
      ]),
  },
  'attention over an own segment and one seen before': {
    symbols: { N: 2, M: 2, S: 3 },
    tracked: {
      q: [N, 1, 3, 2, M, 4],
      sharedKeys: [N, 1, S, 4],
      sharedValues: [N, 1, S, 4],
      keys: [N, 1, 3, M, 4],
      values: [N, 1, 3, M, 4],
    },
    fixed: { mask: [N, 1, 1, 1, 1, S] },
    apply: ({ q, sharedKeys, sharedValues, keys, values, mask }) =>
      ops.attention(
        q!,
        [{ keys: keys!, values: values!, mask: null }],
        ops.partialAttention(q!, [{ keys: sharedKeys!, values: sharedValues!, mask: mask! }]),
      ),
  },
  'attention, the weight of a part alone': {
    symbols: { N: 2, M: 3 },
    tracked: { q: [N, 2, 1, 2, M, 4], keys: [N, 2, M, 4] },
    fixed: { mask: [M, M], values: [N, 2, M, 4] },
    apply: ({ q, keys, values, mask }) =>
      ops.partialAttention(q!, [{ keys: keys!, values: values!, mask: mask! }]).weight,
  },
};

for (const [name, check] of Object.entries(cases))
  test(`gradient of ${name} equals finite differences`, () => checkGradient(name, check));

test('every operation has a gradient check', () => {
  const checked = new Set(Object.keys(cases).map((name) => name.split(/[ ,]/)[0]));
  const missing = [...operations].filter((name) => !checked.has(name));
  assert.deepEqual(missing, []);
});

test('a gradient that meets an operator outside all operations is an error, not a silent zero', () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [2], true);
  const [raw] = graph.node('Abs', [x], [{ shape: [2] }]);
  assert.throws(() => gradients(ops.sum(ops.negate(raw!), [0]), [x]), /without gradient/);
});

test('an operation that gives no gradient for a tracked input is an error', () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [2], true);
  const [y] = graph.node('Sign', [x], [{ shape: [2] }]);
  graph.tape.push({ operation: 'sign', inputs: [x], outputs: [y!], gradient: () => [null] });
  assert.throws(() => gradients(ops.sum(y!, [0]), [x]), /sign gives no gradient for its input 'x'/);
});

test('a parameter the loss does not depend on is an error', () => {
  const graph = new Graph();
  const [x, other] = [graph.input('x', 'float32', [2], true), graph.input('other', 'float32', [2], true)];
  assert.throws(() => gradients(ops.sum(x, [0]), [other]), /does not depend on 'other'/);
});
