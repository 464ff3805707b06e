import { emit, expectShape, type Value } from '../graph.ts';
import { operation } from '../operation.ts';

/** gate · σ(gate) · up. The derivative of s = x σ(x) is σ + s (1 − σ), written σ + s − s σ. */
export const swiglu = operation('swiglu', (gate: Value, up: Value) => {
  expectShape(up, gate.shape, 'up');
  const { shape } = gate;
  const sigmoid = emit('Sigmoid', [gate], shape);
  const silu = emit('Mul', [gate, sigmoid], shape);
  return {
    inputs: [gate, up],
    output: emit('Mul', [silu, up], shape),
    gradient: (dy) => {
      const rest = emit('Sub', [silu, emit('Mul', [silu, sigmoid], shape)], shape);
      const slope = emit('Add', [sigmoid, rest], shape);
      return [
        gate.tracked ? emit('Mul', [emit('Mul', [dy, up], shape), slope], shape) : null,
        up.tracked ? emit('Mul', [dy, silu], shape) : null,
      ];
    },
  };
});
