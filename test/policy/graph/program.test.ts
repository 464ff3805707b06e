import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { product, sum, symbol } from '../../../activities/policy/graph/dims.ts';
import { Graph } from '../../../activities/policy/graph/graph.ts';
import { add, linear, reshape, split } from '../../../activities/policy/graph/ops/index.ts';
import { Program } from '../../../activities/policy/graph/program.ts';

/** y = x [N*M + M, 2] Wᵀ, the first N*M rows as [N, M, 3] plus a bias [M, 1], and the rest. */
function example(): Graph {
  const graph = new Graph();
  const [N, M] = [symbol('N'), symbol('M')];
  const x = graph.input('x', 'float32', [sum(product(N, M), M), 2]);
  const weight = graph.input('weight', 'float32', [3, 2]);
  const bias = graph.input('bias', 'float32', [M, 1]);
  const [first, rest] = split(linear(x, weight), [product(N, M), M], 0);
  graph.output('first', add(reshape(first!, [N, M, 3]), bias));
  graph.output('rest', rest!);
  return graph;
}

const weight = Float32Array.of(1, 0, 0, 1, 1, 1);
let program: Program;
before(async () => {
  program = await Program.create(example(), { threads: 1 }, { weight });
});
after(() => program.release());

const ascending = (count: number) => Float32Array.from({ length: count }, (_, i) => i);

test('one session serves any sizes', async () => {
  const small = await program.run({ N: 1, M: 1 }, { x: ascending(4), bias: Float32Array.of(10) });
  assert.deepEqual([...small['first']!], [10, 11, 11]);
  assert.deepEqual([...small['rest']!], [2, 3, 5]);
  const large = await program.run({ N: 2, M: 2 }, { x: ascending(12), bias: Float32Array.of(0, 10) });
  assert.deepEqual([...large['first']!], [0, 1, 1, 12, 13, 15, 4, 5, 9, 16, 17, 23]);
  assert.deepEqual([...large['rest']!], [8, 9, 17, 10, 11, 21]);
});

test('inputs and outputs are described in symbols, without the bound weights', () => {
  assert.deepEqual(program.inputs, [
    { name: 'x', type: 'float32', shape: ['M + M*N', '2'] },
    { name: 'bias', type: 'float32', shape: ['M', '1'] },
  ]);
  assert.deepEqual(program.outputs[0], { name: 'first', type: 'float32', shape: ['N', 'M', '3'] });
});

test('inputs of fixed size can be bound later, too, and again; a name that is no input is ignored', async () => {
  const other = program.bind({ weight: Float32Array.of(0, 1, 1, 0, 1, 1), unknown: weight });
  assert.deepEqual(other.inputs, program.inputs);
  const feeds = { x: ascending(4), bias: Float32Array.of(10) };
  assert.deepEqual([...(await other.run({ N: 1, M: 1 }, feeds))['first']!], [11, 10, 11]);
  assert.deepEqual([...(await program.run({ N: 1, M: 1 }, feeds))['first']!], [10, 11, 11]);
});

test('wrong feeds are named', async () => {
  const symbols = { N: 1, M: 1 };
  const bias = Float32Array.of(10);
  await assert.rejects(program.run(symbols, { bias }), /input 'x' float32 is missing/);
  await assert.rejects(
    program.run(symbols, { x: ascending(5), bias }),
    /input 'x' \[M \+ M\*N, 2\] has 4 elements \(2×2\), got 5/,
  );
  await assert.rejects(program.run(symbols, { x: ascending(4), bias, y: bias }), /no input 'y'/);
  await assert.rejects(
    program.run(symbols, { x: ascending(4), bias: BigInt64Array.of(1n) }),
    /input 'bias' \[M, 1\] is float32, got int64/,
  );
  await assert.rejects(program.run({ N: 1 }, { x: ascending(4), bias }), /symbol M must be/);
});

test('a weight kept outside the encoded model gives the same result as one fed', async () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [symbol('N'), 2]);
  graph.output('y', linear(x, graph.weight('w', [3, 2], weight)));
  const packed = await Program.create(graph, { threads: 1 });
  const { y } = await packed.run({ N: 2 }, { x: ascending(4) });
  await packed.release();
  assert.deepEqual([...y!], [0, 1, 1, 2, 3, 5]);
});

test('shapes that cannot fit are refused while building', () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [symbol('N'), 6]);
  assert.throws(() => reshape(x, [symbol('N'), 5]), /cannot reshape 'x' \[N, 6\] to \[N, 5\]/);
  assert.throws(
    () => linear(x, graph.input('w', 'float32', [3, 5])),
    /weight 'w' is \[3, 5\], needs \[3, 6\]/,
  );
});
