import { emit, type Value } from '../graph.ts';
import { operation, type Gradients } from '../operation.ts';
import { gemm } from './linear.ts';
import { expand, reshape } from './shape.ts';

/**
 * Rows of a matrix x [T, H] by index [R]; rows may repeat. The gradient adds up with a one-hot matrix product:
 * ScatterND is wrong with repeated indices and ScatterElements is slow.
 */
export const gatherRows = operation('gatherRows', (x: Value, index: Value) => {
  const [rows, count] = [x.shape[0]!, index.shape[0]!];
  return {
    inputs: [x],
    output: rowsAt(x, index),
    gradient: (dy) => {
      const { graph } = x;
      const oneHot = emit('OneHot', [index, graph.sizes([rows]), graph.floats([0, 1])], [count, rows]);
      return [gemm(oneHot, dy, { transposeA: true })];
    },
  };
});

/**
 * Rows of a table [vocab, H] by token id [T], which may repeat. As `gatherRows`, for a table with so many rows that a
 * one-hot matrix would be larger than all else: the gradient adds each row of dy to a table of zeros, which takes
 * hardly longer than writing those.
 */
export const embed = operation('embed', (table: Value, tokenIds: Value) => ({
  inputs: [table],
  output: rowsAt(table, tokenIds),
  gradient: (dy) => {
    const { graph } = table;
    const ids = reshape(tokenIds, [tokenIds.shape[0]!, 1]);
    const [index] = graph.node('Expand', [ids, graph.sizes(dy.shape)], [{ shape: dy.shape, type: 'int64' }]);
    const zeros = expand(graph.scalar(0), table.shape);
    return [emit('ScatterElements', [zeros, index!, dy], table.shape, { axis: 0, reduction: 'add' })];
  },
}));

/** Where T rows stand among S slots, of which some stay empty. */
export interface Placement {
  /** [T] The slot of each row, no two alike. */
  slots: Value;
  /** [S] The row in each slot; any row where the slot is empty. */
  rows: Value;
  /** [S, 1] 1 where a row stands, 0 where the slot is empty. */
  taken: Value;
}

/**
 * Rows [T, H] put into their slots [S, H]. An empty slot holds some row's numbers, as a constant: whoever reads it
 * must give it no weight.
 */
export const spreadRows = operation('spreadRows', (x: Value, { slots, rows }: Placement) => ({
  inputs: [x],
  output: rowsAt(x, rows),
  gradient: (dy): Gradients => [rowsAt(dy, slots)],
}));

/** The rows [T, H] back out of their slots [S, H]. */
export const packRows = operation('packRows', (x: Value, { slots, rows, taken }: Placement) => ({
  inputs: [x],
  output: rowsAt(x, slots),
  gradient: (dy): Gradients => [emit('Mul', [rowsAt(dy, rows), taken], x.shape)],
}));

function rowsAt(x: Value, index: Value): Value {
  return emit('Gather', [x, index], [index.shape[0]!, x.shape[1]!], { axis: 0 });
}
