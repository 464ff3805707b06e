import { emit, type Value } from '../graph.ts';
import { operation } from '../operation.ts';
import { expand } from './shape.ts';

/** Sum over axes, which stay with size 1. */
export const sum = operation('sum', (x: Value, axes: readonly number[]) => ({
  inputs: [x],
  output: emit(
    'ReduceSum',
    [x, x.graph.integers([...axes])],
    x.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim)),
    { keepdims: 1 },
  ),
  gradient: (dy) => [expand(dy, x.shape)],
}));

/** Softmax over the last axis. */
export const softmax = operation('softmax', (x: Value) => {
  const y = emit('Softmax', [x], x.shape, { axis: -1 });
  return {
    inputs: [x],
    output: y,
    gradient: (dy) => {
      const weighted = emit('Mul', [dy, y], x.shape);
      const total = sum(weighted, [x.shape.length - 1]);
      return [emit('Sub', [weighted, emit('Mul', [y, total], x.shape)], x.shape)];
    },
  };
});
