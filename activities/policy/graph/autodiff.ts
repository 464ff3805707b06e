import { sameShape, showShape } from './dims.ts';
import type { Value } from './graph.ts';
import { add } from './ops/elementwise.ts';

/**
 * Reverse-mode differentiation: walks the tape backwards from a loss of shape [1] and emits the nodes of the
 * backward pass into the same graph. Returns the gradient of each of `parameters`, in order. Throws when the
 * loss does not depend on one, or when a gradient meets an operation or input that has none.
 */
export function gradients(loss: Value, parameters: readonly Value[]): Value[] {
  const { graph } = loss;
  const gradientOf = new Map<string, Value>([[loss.name, graph.floats([1])]]);
  const differentiable = new Set(graph.inputs.filter((input) => input.tracked).map((input) => input.name));
  for (const entry of graph.tape) for (const output of entry.outputs) differentiable.add(output.name);

  // A copy: emitting the backward pass records operations of its own.
  for (const entry of [...graph.tape].reverse()) {
    const outputGradients = entry.outputs.map((output) => gradientOf.get(output.name) ?? null);
    if (outputGradients.every((gradient) => gradient === null)) continue;
    const inputGradients = entry.gradient(outputGradients);
    entry.inputs.forEach((input, i) => {
      if (!input.tracked) return;
      const gradient = inputGradients[i];
      if (!gradient) throw new Error(`${entry.operation} gives no gradient for its input '${input.name}'`);
      if (!differentiable.has(input.name))
        throw new Error(`'${input.name}' reaches ${entry.operation} through an operator without gradient`);
      if (!sameShape(gradient.shape, input.shape))
        throw new Error(
          `${entry.operation}: the gradient of '${input.name}' is ${showShape(gradient.shape)}, needs ${showShape(input.shape)}`,
        );
      const before = gradientOf.get(input.name);
      gradientOf.set(input.name, before ? add(before, gradient) : gradient);
    });
  }
  return parameters.map((parameter) => {
    const gradient = gradientOf.get(parameter.name);
    if (!gradient) throw new Error(`the loss does not depend on '${parameter.name}'`);
    return gradient;
  });
}
