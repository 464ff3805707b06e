import { product } from '../dims.ts';
import { emit, expectShape, type Graph, type Value } from '../graph.ts';
import { gemm, type LoraPair } from './linear.ts';
import { reshape, transpose } from './shape.ts';

/** The largest code either way: 8 bits, symmetric. */
const largestCode = 127;

/** Smallest size of a row, so that a row of zeros has one. */
const smallest = 1e-30;

/** Most neighbouring channels that a rotation mixes. */
const largestBlock = 64;

/** Activations and weights in 8 bits: their types, the number ONNX has for these, and the code that stands for 0. */
const forms = {
  activations: { type: 'uint8', element: 2, zero: 128 },
  weights: { type: 'int8', element: 3, zero: 0 },
} as const;

/** W [out, in] in 8 bits, as `quantiseWeight` makes it: codes [in, out], and the step [out] between the codes of each row. */
export interface QuantisedWeight {
  codes: Value;
  steps: Value;
}

/**
 * About x Wᵀ + bias, for rows x [T, in], W [out, in] and bias [out], multiplied in 8 bits: row t of x and row o of W
 * are rounded to 255 steps between minus and plus their own largest element, so a row's result does not depend on the
 * rows beside it. Both are rotated first, which changes no product: a few channels of a language model's activations
 * are far larger than all others, and mixed with their neighbours they leave the others more than a few steps (QuaRot,
 * arXiv:2404.00456). An adapter is added in float32. Throws when x is tracked: rounding has no gradient.
 *
 * Where several products have one x, ONNX Runtime quantises it once.
 */
export function quantisedLinear(
  x: Value,
  weight: QuantisedWeight,
  bias: Value | null = null,
  lora: LoraPair | null = null,
): Value {
  const [rows, width] = x.shape;
  const [outputs] = weight.steps.shape;
  expectShape(weight.codes, [width!, outputs!], 'codes of the weight');
  if (bias) expectShape(bias, [outputs!], 'bias');
  if (x.tracked || lora?.a.tracked || lora?.b.tracked)
    throw new Error(`a product in 8 bits has no gradient, but '${x.name}' or its adapter is tracked`);
  const { graph } = x;
  const { codes, sizes } = quantise(x, 'activations');
  const [inSteps] = graph.node(
    'MatMulIntegerToFloat',
    [codes, weight.codes, graph.scalar(1 / largestCode), weight.steps, zeroCode(graph, 'activations')],
    [{ shape: [rows!, outputs!] }],
    {},
    'com.microsoft',
  );
  const scaled = emit('Mul', [inSteps!, sizes], [rows!, outputs!]);
  const y = bias ? emit('Add', [scaled, bias], scaled.shape) : scaled;
  if (!lora) return y;
  const u = gemm(x, lora.a, { transposeB: true });
  return gemm(u, lora.b, { transposeB: true, scale: lora.scale, plus: y });
}

/** W [out, in] in 8 bits; codes as whole float32 numbers, since programs give no others. */
export function quantiseWeight(weight: Value): QuantisedWeight {
  const { codes, sizes } = quantise(weight, 'weights');
  return {
    codes: transpose(emit('Cast', [codes], codes.shape, { to: 1 }), [1, 0]),
    steps: reshape(
      emit('Div', [sizes, weight.graph.scalar(largestCode)], sizes.shape),
      sizes.shape.slice(0, 1),
    ),
  };
}

/** Rows [R, K], rotated, as codes [R, K], and the largest element of each, `sizes` [R, 1]. */
function quantise(rows: Value, form: keyof typeof forms): { codes: Value; sizes: Value } {
  const { graph } = rows;
  const column = [rows.shape[0]!, 1];
  const rotated = rotate(rows);
  const magnitudes = emit('Abs', [rotated], rotated.shape);
  const largest = emit('ReduceMax', [magnitudes, graph.integers([1])], column, { keepdims: 1 });
  const sizes = emit('Max', [largest, graph.scalar(smallest)], column);
  const [codes] = graph.node(
    'QuantizeLinear',
    [emit('Div', [rotated, sizes], rows.shape), graph.scalar(1 / largestCode), zeroCode(graph, form)],
    [{ shape: rows.shape, type: forms[form].type }],
  );
  return { codes: codes!, sizes };
}

function zeroCode(graph: Graph, form: keyof typeof forms): Value {
  const { type, element, zero } = forms[form];
  return graph.node('Cast', [graph.scalar(zero)], [{ shape: [], type }], { to: element })[0]!;
}

/**
 * Rows [R, K] with each run of neighbouring channels times a Hadamard matrix: ±1/√size, orthogonal. The runs are as
 * long as a power of two that divides K allows.
 */
function rotate(rows: Value): Value {
  const [count, width] = rows.shape;
  if (typeof width !== 'number') throw new Error(`rows '${rows.name}' need a width that is known`);
  let size = 1;
  while (size < largestBlock && width % (2 * size) === 0) size *= 2;
  const entries = Array.from({ length: size * size }, (_, at) => sign(Math.floor(at / size) & (at % size)));
  const hadamard = reshape(rows.graph.floats(entries), [size, size]);
  const blocks = reshape(rows, [product(count!, width / size), size]);
  return reshape(gemm(blocks, hadamard, { scale: 1 / Math.sqrt(size) }), rows.shape);
}

/** −1 for an odd number of one-bits, else 1. */
function sign(bits: number): number {
  return bits === 0 ? 1 : (bits & 1 ? -1 : 1) * sign(bits >> 1);
}
