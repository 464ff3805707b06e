import { sameShape, showShape } from './dims.ts';
import type { TapeEntry, Value } from './graph.ts';
import { add } from './ops/elementwise.ts';

/**
 * Reverse-mode differentiation: walks the tape backwards from a loss of shape [1] and emits the nodes of the
 * backward pass into the same graph. Returns the gradient of each of `parameters`, in order. Throws when the
 * loss does not depend on one, or when a gradient meets an operation or input that has none.
 */
export function gradients(loss: Value, parameters: readonly Value[]): Value[] {
  const { graph } = loss;
  const sources = graph.inputs.filter((input) => input.tracked);
  graph.beginBackward();
  const gradientOf = backward(graph.tape, loss, graph.floats([1]), sources);
  return parameters.map((parameter) => {
    const gradient = gradientOf.get(parameter.name);
    if (!gradient) throw new Error(`the loss does not depend on '${parameter.name}'`);
    return gradient;
  });
}

/**
 * The gradients, by name, of all that `output` was made of by the entries of a tape, when its own gradient is `dy`.
 * `sources`: where they may end besides the tape's own values.
 */
export function backward(
  tape: readonly TapeEntry[],
  output: Value,
  dy: Value,
  sources: readonly Value[],
): ReadonlyMap<string, Value> {
  const gradientOf = new Map<string, Value>([[output.name, dy]]);
  const differentiable = new Set(sources.map(({ name }) => name));
  for (const entry of tape) for (const { name } of entry.outputs) differentiable.add(name);

  // A copy: emitting the backward pass records operations of its own.
  for (const entry of [...tape].reverse()) {
    const outputGradients = entry.outputs.map(({ name }) => gradientOf.get(name) ?? null);
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
  return gradientOf;
}
