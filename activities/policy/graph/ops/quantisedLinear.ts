import { product } from '../dims.ts';
import { emit, expectShape, type Graph, type Value } from '../graph.ts';
import { gemm, type LoraPair } from './linear.ts';
import { reshape } from './shape.ts';

/** The largest code either way: 8 bits, symmetric. */
const largestCode = 127;

/** Smallest size of a row, so that a row of zeros has one. */
const smallest = 1e-30;

/** Most neighbouring channels that a rotation mixes. */
const largestBlock = 64;

/**
 * About x Wᵀ + bias, for rows x [T, in], W [out, in] and bias [out], multiplied in 8 bits: row t of x and row o of W
 * are rounded to 255 steps between minus and plus their own largest element, so a row's result does not depend on the
 * rows beside it. Both are rotated first, which changes no product: a few channels of a language model's activations
 * are far larger than all others, and mixed with their neighbours they leave the others more than a few steps (QuaRot,
 * arXiv:2404.00456 §4). Sums are exact, in 32 bits; x must not be tracked, since rounding has no gradient.
 *
 * W is a constant, so ONNX Runtime quantises it when the session is made; and it quantises the x of several products
 * only once.
 */
export function quantisedLinear(x: Value, weight: Value, bias: Value | null = null): Value {
  expectShape(weight, [weight.shape[0]!, x.shape[1]!], 'weight');
  if (bias) expectShape(bias, [weight.shape[0]!], 'bias');
  if (x.tracked) throw new Error(`'${x.name}' is tracked: a product in 8 bits has no gradient`);
  const { graph } = x;
  const [rows, [outputs, inputs]] = [x.shape[0]!, weight.shape] as const;
  const left = quantised(x, 'uint8');
  const right = quantised(weight, 'int8');
  const [columns] = graph.node('Transpose', [right.codes], [{ shape: [inputs!, outputs!], type: 'int8' }], {
    perm: [1, 0],
  });
  const step = graph.scalar(1 / largestCode);
  const steps = reshape(emit('Mul', [right.sizes, step], right.sizes.shape), [outputs!]);
  const [scaled] = graph.node(
    'MatMulIntegerToFloat',
    [left.codes, columns!, step, steps, left.zero, right.zero],
    [{ shape: [rows, outputs!] }],
    {},
    'com.microsoft',
  );
  const y = emit('Mul', [scaled!, left.sizes], [rows, outputs!]);
  return bias ? emit('Add', [y, bias], y.shape) : y;
}

/** The same with an adapter, which stays in float32: + scale · (x Aᵀ) Bᵀ. */
export function quantisedLoraLinear(
  x: Value,
  weight: Value,
  { a, b, scale }: LoraPair,
  bias: Value | null = null,
): Value {
  const u = gemm(x, a, { transposeB: true });
  return gemm(u, b, { transposeB: true, scale, plus: quantisedLinear(x, weight, bias) });
}

/** Rows [R, K] as codes [R, K] around the code `zero`, and the largest element of each, `sizes` [R, 1]. */
function quantised(rows: Value, type: 'int8' | 'uint8') {
  const { graph } = rows;
  const [count] = rows.shape;
  const rotated = rotate(rows);
  const magnitudes = emit('Abs', [rotated], rotated.shape);
  const largest = emit('ReduceMax', [magnitudes, graph.integers([1])], [count!, 1], { keepdims: 1 });
  const sizes = emit('Max', [largest, graph.scalar(smallest)], [count!, 1]);
  const zero = zeroCode(graph, type);
  const [codes] = graph.node(
    'QuantizeLinear',
    [emit('Div', [rotated, sizes], rotated.shape), graph.scalar(1 / largestCode), zero],
    [{ shape: rows.shape, type }],
  );
  return { codes: codes!, sizes, zero };
}

/** What stands for 0: the middle of 0 … 255, or 0 itself. */
function zeroCode(graph: Graph, type: 'int8' | 'uint8'): Value {
  const [zero, to] = type === 'uint8' ? [128, 2] : [0, 3];
  return graph.node('Cast', [graph.scalar(zero)], [{ shape: [], type }], { to })[0]!;
}

/**
 * Each run of neighbouring channels of rows [R, K] times a Hadamard matrix, as long as a power of two that divides K
 * allows: ±1/√size, orthogonal.
 */
function rotate(rows: Value): Value {
  const [count, width] = rows.shape;
  if (typeof width !== 'number') throw new Error(`'${rows.name}' needs a known width`);
  let size = 1;
  while (size < largestBlock && width % (2 * size) === 0) size *= 2;
  const entries = Array.from({ length: size * size }, (_, at) => {
    const common = Math.floor(at / size) & at % size;
    return (-1) ** [...common.toString(2)].filter((bit) => bit === '1').length / Math.sqrt(size);
  });
  const hadamard = reshape(rows.graph.floats(entries), [size, size]);
  const blocks = reshape(rows, [product(count!, width / size), size]);
  return reshape(gemm(blocks, hadamard), rows.shape);
}
