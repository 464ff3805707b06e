import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gradients } from '../../../activities/policy/graph/autodiff.ts';
import { checkpoint } from '../../../activities/policy/graph/checkpoint.ts';
import { product, showDim, symbol } from '../../../activities/policy/graph/dims.ts';
import { Graph, type Value } from '../../../activities/policy/graph/graph.ts';
import {
  linear,
  multiply,
  reshape,
  rmsNorm,
  sum,
  swiglu,
} from '../../../activities/policy/graph/ops/index.ts';
import { Program } from '../../../activities/policy/graph/program.ts';
import { randomArray } from '../tinyCheckpoint.ts';
import { checkGradient } from './gradientCheck.ts';

const N = symbol('N');
const width = 4;
const layers = ['w0', 'w1', 'w2'];

/** Layers with a weight each, and one that they share; `wrap` applies a layer to its input. */
function stack(values: Record<string, Value>, wrap: typeof checkpoint): Value {
  const layer = (weight: Value) => (x: Value) =>
    swiglu(linear(rmsNorm(x, values['norm']!, 1e-2), weight), linear(x, values['shared']!));
  return layers.reduce((x, name) => wrap(x, layer(values[name]!)), values['x']!);
}

test('the gradient through checkpoints equals finite differences', async () => {
  const weights = Object.fromEntries(['shared', ...layers].map((name) => [name, [width, width]]));
  await checkGradient('checkpoint', {
    symbols: { N: 3 },
    tracked: { x: [N, width], ...weights },
    fixed: { norm: { shape: [width], numbers: [2, 1, 2, 3] } },
    apply: (values) => stack(values, checkpoint),
  });
});

/** A stack with its gradients, and what it is fed. The stack's own input is a constant, as embeddings are. */
function training(wrap: typeof checkpoint) {
  const graph = new Graph();
  const weights = ['shared', ...layers];
  const values = Object.fromEntries([
    ...weights.map((name) => [name, graph.input(name, 'float32', [width, width], true)]),
    ['norm', graph.input('norm', 'float32', [width])],
    ['x', graph.input('x', 'float32', [N, width])],
  ]) as Record<string, Value>;
  const y = stack(values, wrap);
  const loss = sum(reshape(multiply(y, y), [product(N, width)]), [0]);
  graph.output('loss', loss);
  const slopes = gradients(
    loss,
    weights.map((name) => values[name]!),
  );
  weights.forEach((name, i) => graph.output(`gradient.${name}`, slopes[i]!));
  const feeds = Object.fromEntries([
    ...weights.map((name) => [name, randomArray(name, width * width, 0.7)]),
    ['norm', new Float32Array(width).fill(1)],
  ]) as Record<string, Float32Array>;
  return { graph, feeds };
}

const plain: typeof checkpoint = (x, layer) => layer(x);

test('checkpoints change no bit, not even of what is not finite', async () => {
  const [{ graph, feeds }, other] = [training(plain), training(checkpoint)];
  const programs = [
    await Program.create(graph, { threads: 1 }),
    await Program.create(other.graph, { threads: 1 }),
  ] as const;
  const inputs = [
    randomArray('x', 3 * width, 1),
    Float32Array.of(0, -0, -1e-40, 1e-40, 0, -0, 0, -0),
    Float32Array.of(3e38, -3e38, 1e20, 1),
    Float32Array.of(1, 2, NaN, 3, -Infinity, 1, 2, 3),
  ];
  for (const x of inputs) {
    const symbols = { N: x.length / width };
    const [expected, found] = [
      await programs[0].run(symbols, { ...feeds, x }),
      await programs[1].run(symbols, { ...feeds, x }),
    ];
    assert.deepEqual(found, expected);
  }
  for (const program of programs) await program.release();
});

test('of checkpointed layers only the inputs are kept', async () => {
  const [all, checkpointed] = [training(plain), training(checkpoint)];
  // The input of the first layer is fed; of the others it is the output of the one before; the loss keeps the last.
  const outputs = 3 * width;
  assert.equal(showDim(checkpointed.graph.keptBytes()), `${4 * outputs}*N`);
  // Of each layer: its normed input, up, σ(gate), gate · σ(gate); of the norms with a gradient: 1 / root mean square.
  assert.equal(showDim(all.graph.keptBytes()), `${4 * (outputs + 3 * 4 * width + 2)}*N`);
});

test('layers are computed again when their gradient is due, and not before', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'reiterate-checkpoint-'));
  const { graph, feeds } = training(checkpoint);
  const program = await Program.create(graph, { threads: 1, profilePrefix: join(folder, 'profile') });
  await program.run({ N: 3 }, { ...feeds, x: randomArray('x', 3 * width, 1) });
  program.endProfiling();
  await program.release();
  const [file] = await readdir(folder);
  const events = JSON.parse(await readFile(join(folder, file!), 'utf8')) as { name: string }[];
  await rm(folder, { recursive: true });

  // Nodes are numbered as they were emitted: the backward half of a layer, then the layer before it again.
  const run = events.flatMap(({ name }) => {
    const [, operator, number] = /^(\w+)_(\d+)_kernel_time$/.exec(name) ?? [];
    return operator === 'Gemm' || operator === 'SimplifiedLayerNormalization'
      ? [{ operator, number: Number(number) }]
      : [];
  });
  const norms = run.filter(({ operator }) => operator !== 'Gemm');
  assert.equal(norms.length, 2 * layers.length);
  for (const norm of norms.slice(layers.length)) {
    const later = run.slice(run.indexOf(norm)).filter(({ number }) => number < norm.number);
    assert.deepEqual(later, []);
  }
});
