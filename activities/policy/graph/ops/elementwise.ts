import { broadcast, sameDim, sameShape, type Shape } from '../dims.ts';
import { emit, stopGradient, type Value } from '../graph.ts';
import { operation, type Gradients } from '../operation.ts';
import { sum } from './reduce.ts';
import { reshape } from './shape.ts';

/** A tensor, or a number that stands for a constant. */
export type Operand = Value | number;

const valueOf = (operand: Operand, beside: Value): Value =>
  typeof operand === 'number' ? beside.graph.scalar(operand) : operand;

/** Sums a gradient over the axes along which its tensor of shape `shape` was repeated. */
function unbroadcast(gradient: Value, shape: Shape): Value {
  if (sameShape(gradient.shape, shape)) return gradient;
  const added = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((dim, axis) =>
    axis < added || !sameDim(dim, shape[axis - added]!) ? [axis] : [],
  );
  return reshape(sum(gradient, axes), shape);
}

export const add = operation('add', (a: Value, other: Operand) => {
  const b = valueOf(other, a);
  return {
    inputs: [a, b],
    output: emit('Add', [a, b], broadcast(a.shape, b.shape)),
    gradient: (dy): Gradients => [a, b].map((input) => (input.tracked ? unbroadcast(dy, input.shape) : null)),
  };
});

export const subtract = operation('subtract', (a: Value, other: Operand) => {
  const b = valueOf(other, a);
  return {
    inputs: [a, b],
    output: emit('Sub', [a, b], broadcast(a.shape, b.shape)),
    gradient: (dy): Gradients => [
      a.tracked ? unbroadcast(dy, a.shape) : null,
      b.tracked ? unbroadcast(negate(dy), b.shape) : null,
    ],
  };
});

export const multiply = operation('multiply', (a: Value, other: Operand) => {
  const b = valueOf(other, a);
  return {
    inputs: [a, b],
    output: emit('Mul', [a, b], broadcast(a.shape, b.shape)),
    gradient: (dy): Gradients => [
      a.tracked ? unbroadcast(multiply(dy, b), a.shape) : null,
      b.tracked ? unbroadcast(multiply(dy, a), b.shape) : null,
    ],
  };
});

export const divide = operation('divide', (a: Value, other: Operand) => {
  const b = valueOf(other, a);
  const y = emit('Div', [a, b], broadcast(a.shape, b.shape));
  return {
    inputs: [a, b],
    output: y,
    gradient: (dy): Gradients => {
      const quotient: Value = divide(dy, b);
      return [
        a.tracked ? unbroadcast(quotient, a.shape) : null,
        b.tracked ? unbroadcast(negate(multiply(quotient, y)), b.shape) : null,
      ];
    },
  };
});

export const negate = operation('negate', (x: Value) => ({
  inputs: [x],
  output: emit('Neg', [x], x.shape),
  gradient: (dy): Gradients => [negate(dy)],
}));

export const exp = operation('exp', (x: Value) => {
  const y = emit('Exp', [x], x.shape);
  return { inputs: [x], output: y, gradient: (dy): Gradients => [multiply(dy, y)] };
});

/** 1 where a > b, else 0; piecewise constant, so no gradient flows through it. */
export function greater(a: Value, other: Operand): Value {
  const [left, right] = [stopGradient(a), stopGradient(valueOf(other, a))];
  const shape = broadcast(left.shape, right.shape);
  const [truth] = a.graph.node('Greater', [left, right], [{ shape, type: 'bool' }]);
  return emit('Cast', [truth!], shape, { to: 1 });
}

/** The smaller of two tensors of one shape; the gradient goes to the smaller one, to `a` when they are equal. */
export const minimum = operation('minimum', (a: Value, b: Value) => ({
  inputs: [a, b],
  output: emit('Min', [a, b], broadcast(a.shape, b.shape)),
  gradient: (dy): Gradients => {
    const toB = greater(a, b);
    return [
      a.tracked ? unbroadcast(multiply(dy, subtract(dy.graph.scalar(1), toB)), a.shape) : null,
      b.tracked ? unbroadcast(multiply(dy, toB), b.shape) : null,
    ];
  },
}));

/** x kept within [low, high] (constants, or tensors without gradient); outside, the gradient is 0. */
export const clamp = operation('clamp', (x: Value, low: Operand, high: Operand) => {
  const [lowest, highest] = [stopGradient(valueOf(low, x)), stopGradient(valueOf(high, x))];
  const output = emit('Min', [emit('Max', [x, lowest], x.shape), highest], x.shape);
  return {
    inputs: [x],
    output,
    gradient: (dy): Gradients => {
      const outside = add(greater(lowest, x), greater(x, highest));
      return [multiply(dy, subtract(dy.graph.scalar(1), outside))];
    },
  };
});

/**
 * k3(d) = e^−d − 1 + d ≥ 0, Schulman's estimate of KL(π ‖ π_ref) from d = log π − log π_ref of one token.
 * e^x − 1 is written tanh(x/2)(e^x + 1), exact also for tiny x, where policies start.
 */
export const k3 = operation('k3', (d: Value) => {
  const x = emit('Neg', [d], d.shape);
  const half = emit('Tanh', [emit('Mul', [x, d.graph.scalar(0.5)], d.shape)], d.shape);
  const expm1 = emit(
    'Mul',
    [half, emit('Add', [emit('Exp', [x], d.shape), d.graph.scalar(1)], d.shape)],
    d.shape,
  );
  return {
    inputs: [d],
    output: emit('Add', [expm1, d], d.shape),
    gradient: (dy): Gradients => [negate(multiply(dy, expm1))],
  };
});
