import type { Shape } from '../dims.ts';
import { emit, type Value } from '../graph.ts';
import { operation } from '../operation.ts';
import { sum } from './reduce.ts';

/**
 * x / sqrt(mean(x²) + ε) · weight over the last axis; the weight stays frozen. With r = 1 / sqrt(mean(x²) + ε),
 * which the kernel gives as its second output, dx = r · (dy · weight) − x · r² / n · Σ(dy · y).
 */
export const rmsNorm = operation('rmsNorm', (x: Value, weight: Value, epsilon: number) => {
  const axis = x.shape.length - 1;
  const size = x.shape[axis]!;
  if (typeof size !== 'number') throw new Error(`rmsNorm of '${x.name}' needs a fixed last axis`);
  const perRow: Shape = [...x.shape.slice(0, axis), 1];
  const [y, r] = x.graph.node(
    'SimplifiedLayerNormalization',
    [x, weight],
    [{ shape: x.shape }, { shape: perRow }],
    { axis: -1, epsilon: { float: epsilon }, stash_type: 1 },
  ) as [Value, Value];
  return {
    inputs: [x, weight],
    output: y,
    gradient: (dy) => {
      const total = sum(emit('Mul', [dy, y], x.shape), [axis]);
      const squared = emit('Mul', [emit('Mul', [r, r], perRow), x.graph.scalar(1 / size)], perRow);
      const along = emit('Mul', [x, emit('Mul', [total, squared], perRow)], x.shape);
      const across = emit('Mul', [emit('Mul', [dy, weight], x.shape), r], x.shape);
      return [emit('Sub', [across, along], x.shape), null];
    },
  };
});
