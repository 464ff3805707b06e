import { product, type Dim } from '../dims.ts';
import { emit, stopGradient, type Value } from '../graph.ts';
import { multiOperation } from '../operation.ts';
import { gemm } from './linear.ts';
import { sum } from './reduce.ts';
import { reshape } from './shape.ts';

/** log of the smallest probability told apart from 0; a softmax may underflow there. */
const smallest = 1e-37;

/**
 * log softmax(x Eᵀ)[target] of rows x [R, H] under a frozen output table E [vocab, H]; targets [R]; result [R],
 * where R = blocks · rowsPerBlock. Rows are worked off block by block, so that only one block's logits are in
 * memory. dx = dy · (E[target] − P E): no one-hot matrix and no elementwise pass over the vocabulary; the
 * bracket is made while the probabilities P are there.
 *
 * Where x is tracked there is a second result, the entropy [R] of each row's distribution, as a constant: with
 * logits l, log Z − Σ P l = x · (E[target] − P E) − log-prob, so the bracket gives it without a look at the
 * vocabulary. It is off only where the target's own probability underflows.
 */
export const targetLogProb = multiOperation(
  'targetLogProb',
  (x: Value, table: Value, targets: Value, blocks: Dim, rowsPerBlock: Dim) => {
    const [rows, width] = [product(blocks, rowsPerBlock), x.shape[1]!];
    const slices = [reshape(x, [blocks, rowsPerBlock, width]), reshape(targets, [blocks, rowsPerBlock])];
    const [blockLogProbs, blockDirections] = x.graph.scan(slices, ([block, target]) => {
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
    const logProbs = reshape(blockLogProbs!, [rows]);
    if (!blockDirections) return { inputs: [x, table], outputs: [logProbs], gradient: () => [null, null] };
    const directions = reshape(blockDirections, x.shape);
    const along = reshape(sum(emit('Mul', [x, directions], x.shape), [1]), [rows]);
    const entropy = stopGradient(emit('Sub', [along, logProbs], [rows]));
    return {
      inputs: [x, table],
      outputs: [logProbs, entropy],
      gradient: ([dy]) => [emit('Mul', [directions, reshape(dy!, [rows, 1])], x.shape), null],
    };
  },
);
