import { emit, type Value } from '../graph.ts';
import { operation } from '../operation.ts';
import { gemm } from './linear.ts';
import { reshape } from './shape.ts';

/** log of the smallest probability told apart from 0; a softmax may underflow there. */
const smallest = 1e-37;

/**
 * log softmax(x Eᵀ)[target] of rows x [R, H] under a frozen output table E [vocab, H]; targets [R]; result [R].
 * dx = dy · (E[target] − P E): no one-hot matrix and no elementwise pass over the vocabulary.
 */
export const targetLogProb = operation('targetLogProb', (x: Value, table: Value, targets: Value) => {
  const rows = x.shape[0]!;
  const logits = gemm(x, table, { transposeB: true });
  const probabilities = emit('Softmax', [logits], logits.shape, { axis: -1 });
  const index = reshape(targets, [rows, 1]);
  const chosen = emit('GatherElements', [probabilities, index], [rows, 1], { axis: 1 });
  const logProb = emit('Log', [emit('Max', [chosen, x.graph.scalar(smallest)], [rows, 1])], [rows, 1]);
  return {
    inputs: [x, table],
    output: reshape(logProb, [rows]),
    gradient: (dy) => {
      const wanted = emit('Gather', [table, targets], x.shape, { axis: 0 });
      const direction = emit('Sub', [wanted, gemm(probabilities, table)], x.shape);
      const column = reshape(dy, [rows, 1]);
      return [emit('Mul', [direction, column], x.shape), null];
    },
  };
});
