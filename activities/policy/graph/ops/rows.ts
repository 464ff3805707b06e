import { emit, type Value } from '../graph.ts';
import { operation } from '../operation.ts';
import { gemm } from './linear.ts';

/**
 * Rows of a matrix x [T, H] by index [R]; rows may repeat. The gradient adds up with a one-hot matrix product:
 * ScatterND is wrong with repeated indices and ScatterElements is slow.
 */
export const gatherRows = operation('gatherRows', (x: Value, index: Value) => {
  const [rows, width] = [x.shape[0]!, x.shape[1]!];
  const count = index.shape[0]!;
  return {
    inputs: [x],
    output: emit('Gather', [x, index], [count, width], { axis: 0 }),
    gradient: (dy) => {
      const { graph } = x;
      const oneHot = emit('OneHot', [index, graph.sizes([rows]), graph.floats([0, 1])], [count, rows]);
      return [gemm(oneHot, dy, { transposeA: true })];
    },
  };
});
