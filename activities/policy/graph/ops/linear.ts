import type { Shape } from '../dims.ts';
import { emit, expectShape, type Value } from '../graph.ts';
import { multiOperation, operation } from '../operation.ts';
import { sum } from './reduce.ts';
import { concat, expand, reshape, split } from './shape.ts';

interface GemmOptions {
  transposeA?: boolean;
  transposeB?: boolean;
  scale?: number;
  /** Added to the product, in the same kernel. */
  plus?: Value;
}

/** scale · a b + plus, for matrices. Weights stay [out, in]: transposing while packing costs nothing measurable. */
export function gemm(a: Value, b: Value, options: GemmOptions = {}): Value {
  const { transposeA = false, transposeB = false, scale = 1, plus } = options;
  const shape: Shape = [a.shape[transposeA ? 1 : 0]!, b.shape[transposeB ? 0 : 1]!];
  return emit('Gemm', plus ? [a, b, plus] : [a, b], shape, {
    transA: Number(transposeA),
    transB: Number(transposeB),
    alpha: { float: scale },
  });
}

/** x Wᵀ of rows x [T, in] and W [out, in], with the bias [out] of those linears that have one. */
function affine(x: Value, weight: Value, bias: Value | null): Value {
  expectShape(weight, [weight.shape[0]!, x.shape[1]!], 'weight');
  if (bias) expectShape(bias, [weight.shape[0]!], 'bias');
  return gemm(x, weight, { transposeB: true, ...(bias && { plus: bias }) });
}

/** x Wᵀ + bias, for rows x [T, in], W [out, in] and bias [out]. */
export const linear = operation('linear', (x: Value, weight: Value, bias: Value | null = null) => ({
  inputs: bias ? [x, weight, bias] : [x, weight],
  output: affine(x, weight, bias),
  gradient: (dy) => [
    x.tracked ? gemm(dy, weight) : null,
    weight.tracked ? gemm(dy, x, { transposeA: true }) : null,
    ...(bias ? [bias.tracked ? reshape(sum(dy, [0]), bias.shape) : null] : []),
  ],
}));

/** A low-rank change of a weight: scale · B A, with A [rank, in], B [out, rank]. */
export interface LoraPair {
  a: Value;
  b: Value;
  scale: number;
}

/** A frozen linear and its adapter, never merged. */
export interface LoraLinear extends LoraPair {
  weight: Value;
  bias: Value | null;
}

/**
 * x Wᵀ + bias + scale · (x Aᵀ) Bᵀ for each of several linears that take the same rows x [T, in]. What lies on the side
 * of x is computed for all adapters in one product, since each of them alone is too narrow to keep a processor busy;
 * wide results are added rather than accumulated into, which ONNX Runtime does on one thread.
 */
export const loraLinears = multiOperation('loraLinears', (x: Value, linears: readonly LoraLinear[]) => {
  for (const { weight, a, b } of linears) {
    expectShape(a, [a.shape[0]!, x.shape[1]!], 'LoRA A');
    expectShape(b, [weight.shape[0]!, a.shape[0]!], 'LoRA B');
  }
  const ranks = linears.map(({ a }) => a.shape[0]!);
  const down = concat(
    linears.map(({ a }) => a),
    0,
  );
  const us = split(gemm(x, down, { transposeB: true }), ranks, 1);
  const outputs = linears.map(({ weight, b, scale, bias }, i) => {
    const frozen = affine(x, weight, bias);
    return emit('Add', [frozen, gemm(us[i]!, b, { transposeB: true, scale })], frozen.shape);
  });
  return {
    inputs: [x, ...linears.flatMap(({ a, b }) => [a, b])],
    outputs,
    gradient: (given) => {
      const dys = given.map((dy, i) => dy ?? expand(x.graph.scalar(0), outputs[i]!.shape));
      const du = concat(
        linears.map(({ b, scale }, i) => gemm(dys[i]!, b, { scale })),
        1,
      );
      const throughFrozen = () => linears.map(({ weight }, i) => gemm(dys[i]!, weight));
      const das = split(gemm(du, x, { transposeA: true }), ranks, 0);
      return [
        x.tracked
          ? [...throughFrozen(), gemm(du, down)].reduce((sum, part) => emit('Add', [sum, part], x.shape))
          : null,
        ...linears.flatMap(({ scale }, i) => [das[i]!, gemm(dys[i]!, us[i]!, { transposeA: true, scale })]),
      ];
    },
  };
});
