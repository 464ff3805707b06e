import { product, type Dim } from '../dims.ts';
import { emit, type Value } from '../graph.ts';
import { operation } from '../operation.ts';
import { gemm } from './linear.ts';
import { reshape } from './shape.ts';

/** log of the smallest probability told apart from 0; a softmax may underflow there. */
const smallest = 1e-37;

/**
 * log softmax(x Eᵀ)[target] of rows x [R, H] under a frozen output table E [vocab, H]; targets [R]; result [R],
 * where R = blocks · rowsPerBlock. Rows are worked off block by block, so that only one block's logits are in
 * memory. dx = dy · (E[target] − P E): no one-hot matrix and no elementwise pass over the vocabulary; the
 * bracket is made while the probabilities P are there.
 */
export const targetLogProb = operation(
  'targetLogProb',
  (x: Value, table: Value, targets: Value, blocks: Dim, rowsPerBlock: Dim) => {
    const [rows, width] = [product(blocks, rowsPerBlock), x.shape[1]!];
    const slices = [reshape(x, [blocks, rowsPerBlock, width]), reshape(targets, [blocks, rowsPerBlock])];
    const [logProbs, directions] = x.graph.scan(slices, ([block, target]) => {
      const column = [rowsPerBlock, 1];
      const logits = gemm(block!, table, { transposeB: true });
      const probabilities = emit('Softmax', [logits], logits.shape, { axis: -1 });
      const chosen = emit('GatherElements', [probabilities, reshape(target!, column)], column, { axis: 1 });
      const positive = emit('Max', [chosen, x.graph.scalar(smallest)], column);
      const logProb = reshape(emit('Log', [positive], column), [rowsPerBlock]);
      if (!x.tracked) return [logProb];
      const [wanted] = block!.graph.node('Gather', [table, target!], [{ shape: block!.shape }], { axis: 0 });
      return [logProb, emit('Sub', [wanted!, gemm(probabilities, table)], block!.shape)];
    });
    return {
      inputs: [x, table],
      output: reshape(logProbs!, [rows]),
      gradient: (dy) => {
        const direction = reshape(directions!, x.shape);
        return [emit('Mul', [direction, reshape(dy, [rows, 1])], x.shape), null];
      },
    };
  },
);
