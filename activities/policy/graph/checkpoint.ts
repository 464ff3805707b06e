import { backward } from './autodiff.ts';
import { elements, emit, type Value } from './graph.ts';
import { reshape } from './ops/shape.ts';

/**
 * `layer` of x, of which only x is kept for the backward pass: there the layer is computed again (Chen et al. 2016).
 * Same result and same gradients, to the bit. `layer` is called twice and must emit the same operations each time.
 */
export function checkpoint(x: Value, layer: (x: Value) => Value): Value {
  const { graph } = x;
  const { result: output, tape } = graph.record(() => layer(x));
  if (!output.tracked) return output;
  const own = new Set([x, ...tape.flatMap(({ outputs }) => outputs)].map(({ name }) => name));
  const parameters = new Map(
    tape
      .flatMap(({ inputs }) => inputs)
      .flatMap((input) => (input.tracked && !own.has(input.name) ? [[input.name, input]] : [])),
  );
  graph.tape.push({
    operation: 'checkpoint',
    inputs: [x, ...parameters.values()],
    outputs: [output],
    gradient: ([dy]) => {
      const later = after([dy!], x);
      const again = graph.record(() => layer(later));
      const gradientOf = backward(again.tape, again.result, dy!, [later, ...parameters.values()]);
      const gradientAt = (name: string) => gradientOf.get(name) ?? null;
      const slopes = [...parameters.keys()].map(gradientAt);
      const due = slopes.filter((slope) => slope !== null);
      const dx = gradientAt(later.name);
      return [dx && after(due, dx), ...slopes];
    },
  });
  return output;
}

/**
 * x, but not before `others` are there. Else ONNX Runtime would see that the second computation of a layer is the
 * first one again, and would leave gradients of parameters, which nothing waits for, to the end: either way all layers
 * would be kept. It has to look at an element of each other, but what it then chooses between is x and x.
 */
function after(others: readonly Value[], x: Value): Value {
  if (others.length === 0) return x;
  const { graph } = x;
  const firsts = others.map((other) => {
    const flat = reshape(other, [elements(other.shape)]);
    return emit('Gather', [flat, graph.integers([0])], [1]);
  });
  const all = emit('Max', firsts, [1]);
  const [truth] = graph.node('Cast', [all], [{ shape: [1], type: 'bool' }], { to: 9 });
  return emit('Where', [truth!, x, x], x.shape);
}
