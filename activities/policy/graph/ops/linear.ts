import type { Shape } from '../dims.ts';
import { emit, expectShape, type Value } from '../graph.ts';
import { operation } from '../operation.ts';
import { sum } from './reduce.ts';
import { reshape } from './shape.ts';

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

/** x Wᵀ + bias + scale · (x Aᵀ) Bᵀ: a frozen linear and its adapter, never merged. */
export const loraLinear = operation(
  'loraLinear',
  (x: Value, weight: Value, { a, b, scale }: LoraPair, bias: Value | null = null) => {
    expectShape(a, [a.shape[0]!, x.shape[1]!], 'LoRA A');
    expectShape(b, [weight.shape[0]!, a.shape[0]!], 'LoRA B');
    const u = gemm(x, a, { transposeB: true });
    const frozen = affine(x, weight, bias);
    return {
      inputs: [x, a, b, weight, ...(bias ? [bias] : [])],
      output: gemm(u, b, { transposeB: true, scale, plus: frozen }),
      gradient: (dy) => {
        const du = gemm(dy, b, { scale });
        return [
          x.tracked ? gemm(du, a, { plus: gemm(dy, weight) }) : null,
          a.tracked ? gemm(du, x, { transposeA: true }) : null,
          b.tracked ? gemm(dy, u, { transposeA: true, scale }) : null,
          null,
          ...(bias ? [null] : []),
        ];
      },
    };
  },
);
