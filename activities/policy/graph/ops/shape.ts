import { sameDim, sameShape, showShape, sum as sumDims, type Dim, type Shape } from '../dims.ts';
import { elements, emit, type Value } from '../graph.ts';
import { multiOperation, operation, type Gradients } from '../operation.ts';

const reshaped = operation('reshape', (x: Value, shape: Shape) => {
  if (!sameDim(elements(x.shape), elements(shape)))
    throw new Error(`cannot reshape '${x.name}' ${showShape(x.shape)} to ${showShape(shape)}`);
  const [output] = x.graph.node('Reshape', [x, x.graph.sizes(shape)], [{ shape, type: x.type }]);
  return { inputs: [x], output: output!, gradient: (dy): Gradients => [reshape(dy, x.shape)] };
});

/** The same elements under another shape. */
export const reshape = (x: Value, shape: Shape): Value =>
  sameShape(x.shape, shape) ? x : reshaped(x, shape);

/** Axis i of the result is axis `order[i]` of x. */
export const transpose = operation('transpose', (x: Value, order: readonly number[]) => {
  const back = order.map((_, axis) => order.indexOf(axis));
  return {
    inputs: [x],
    output: emit(
      'Transpose',
      [x],
      order.map((axis) => x.shape[axis]!),
      { perm: [...order] },
    ),
    gradient: (dy): Gradients => [transpose(dy, back)],
  };
});

/** The shape of x with another size along one axis. */
const resized = (shape: Shape, axis: number, size: Dim): Shape =>
  shape.map((dim, i) => (i === axis ? size : dim));

const cut = multiOperation('split', (x: Value, sizes: readonly Dim[], axis: number) => {
  const shapes = sizes.map((size) => resized(x.shape, axis, size));
  const outputs = x.graph.node(
    'Split',
    [x, x.graph.sizes(sizes)],
    shapes.map((shape) => ({ shape })),
    { axis },
  );
  return {
    inputs: [x],
    outputs,
    gradient: (dys): Gradients => [
      concat(
        dys.map((dy, i) => dy ?? expand(x.graph.scalar(0), shapes[i]!)),
        axis,
      ),
    ],
  };
});

/** Cuts x along an axis into pieces of the given sizes. */
export const split = (x: Value, sizes: readonly Dim[], axis: number): readonly Value[] =>
  sizes.length === 1 ? [x] : cut(x, sizes, axis);

const joined = operation('concat', (parts: readonly Value[], axis: number) => {
  const sizes = parts.map((part) => part.shape[axis]!);
  return {
    inputs: parts,
    output: emit('Concat', parts, resized(parts[0]!.shape, axis, sumDims(...sizes)), { axis }),
    gradient: (dy): Gradients => split(dy, sizes, axis),
  };
});

/** Tensors one after the other along an axis. */
export const concat = (parts: readonly Value[], axis: number): Value =>
  parts.length === 1 ? parts[0]! : joined(parts, axis);

/** Repeats a constant to fill a shape. */
export function expand(x: Value, shape: Shape): Value {
  return emit('Expand', [x, x.graph.sizes(shape)], shape);
}
