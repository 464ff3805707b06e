import type { Shape } from '../dims.ts';
import { emit, type Value } from '../graph.ts';
import { operation } from '../operation.ts';
import { sum } from './reduce.ts';
import { reshape } from './shape.ts';

/**
 * x / sqrt(mean(x²) + ε) · weight over the last axis. With r = 1 / sqrt(mean(x²) + ε), which the kernel gives as its
 * second output, dx = r · (dy · weight) − x · r² / n · Σ(dy · y) and dweight = Σ over rows of dy · x · r.
 */
export const rmsNorm = operation('rmsNorm', (x: Value, weight: Value, epsilon: number) => {
  const axis = x.shape.length - 1;
  const size = x.shape[axis]!;
  if (typeof size !== 'number') throw new Error(`rmsNorm of '${x.name}' needs a fixed last axis`);
  const perRow: Shape = [...x.shape.slice(0, axis), 1];
  const [y, reciprocal] = x.graph.node(
    'SimplifiedLayerNormalization',
    [x, weight],
    [{ shape: x.shape }, { shape: perRow }],
    { axis: -1, epsilon: { float: epsilon }, stash_type: 1 },
  ) as [Value, Value];
  // WebGPU's kernel (ONNX Runtime 1.30) puts the mean of x where r should be.
  const inverse = () => (x.graph.device === 'webgpu' ? reciprocalOf(x, size, epsilon) : reciprocal);
  const slope = (dy: Value): Value => {
    const r = inverse();
    const total = sum(emit('Mul', [dy, y], x.shape), [axis]);
    const squared = emit('Mul', [emit('Mul', [r, r], perRow), x.graph.scalar(1 / size)], perRow);
    const along = emit('Mul', [x, emit('Mul', [total, squared], perRow)], x.shape);
    const across = emit('Mul', [emit('Mul', [dy, weight], x.shape), r], x.shape);
    return emit('Sub', [across, along], x.shape);
  };
  const weightSlope = (dy: Value): Value => {
    const normed = emit('Mul', [x, inverse()], x.shape);
    const rows = [...x.shape.keys()].slice(0, axis);
    return reshape(sum(emit('Mul', [dy, normed], x.shape), rows), weight.shape);
  };
  return {
    inputs: [x, weight],
    output: y,
    gradient: (dy) => [x.tracked ? slope(dy) : null, weight.tracked ? weightSlope(dy) : null],
  };
});

/** 1 / sqrt(mean(x²) + ε) of each row of `size` numbers. */
function reciprocalOf(x: Value, size: number, epsilon: number): Value {
  const { graph } = x;
  const total = sum(emit('Mul', [x, x], x.shape), [x.shape.length - 1]);
  const mean = emit('Mul', [total, graph.scalar(1 / size)], total.shape);
  const root = emit('Sqrt', [emit('Add', [mean, graph.scalar(epsilon)], mean.shape)], mean.shape);
  return emit('Reciprocal', [root], root.shape);
}
