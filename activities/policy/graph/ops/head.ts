import { product, type Dim } from '../dims.ts';
import { emit, stopGradient, type Value } from '../graph.ts';
import { multiOperation } from '../operation.ts';
import { gemm } from './linear.ts';
import { sum } from './reduce.ts';
import { expand, reshape } from './shape.ts';

/** log of the smallest probability told apart from 0; a softmax may underflow there. */
const smallest = 1e-37;

/**
 * log softmax(x Eᵀ)[target] of rows x [R, H] under an output table E [vocab, H]; targets [R]; result [R],
 * where R = blocks · rowsPerBlock. Rows are worked off block by block, so that only one block's logits are in
 * memory. dx = dy · (E[target] − P E): no one-hot matrix and no elementwise pass over the vocabulary; the
 * bracket is made while the probabilities P are there. dE = Σ over rows of (onehot(target) − P)ᵀ (dy · x), for a table
 * that is tracked, takes a second round over the blocks, in which their probabilities are computed again.
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
    const column = [rowsPerBlock, 1];
    /** Of a block's rows: the distributions, the targets as a column, and what they are given. */
    const predict = (block: Value, target: Value) => {
      const logits = gemm(block, table, { transposeB: true });
      const probabilities = emit('Softmax', [logits], logits.shape, { axis: -1 });
      const ids = reshape(target, column);
      const chosen = emit('GatherElements', [probabilities, ids], column, { axis: 1 });
      return { probabilities, ids, chosen };
    };
    const [blockLogProbs, blockDirections] = x.graph.scan(slices, ([block, target]) => {
      const { probabilities, chosen } = predict(block!, target!);
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
      gradient: ([dy]) => [
        emit('Mul', [directions, reshape(dy!, [rows, 1])], x.shape),
        table.tracked ? tableSlope(reshape(dy!, [rows, 1])) : null,
      ],
    };

    function tableSlope(dy: Value): Value {
      const weighted = reshape(emit('Mul', [x, dy], x.shape), [blocks, rowsPerBlock, width]);
      const zeros = expand(x.graph.scalar(0), table.shape);
      const addBlock = ([block, target, weightedBlock]: readonly Value[], [total]: readonly Value[]) => {
        const { probabilities, ids, chosen } = predict(block!, target!);
        const rest = emit('Sub', [chosen, x.graph.scalar(1)], column);
        // P − onehot(target): each row has its own entry in it, so none is written twice.
        const excess = emit('ScatterElements', [probabilities, ids, rest], probabilities.shape, { axis: 1 });
        return [gemm(excess, weightedBlock!, { transposeA: true, scale: -1, plus: total! })];
      };
      return x.graph.scan([...slices, weighted], addBlock, [zeros])[0]!;
    }
  },
);
