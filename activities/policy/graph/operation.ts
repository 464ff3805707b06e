import type { Value } from './graph.ts';

/** One gradient an input; null for an input that is not tracked, or must not be because it stays frozen. */
export type Gradients = readonly (Value | null)[];

/** What applying an operation with several outputs gives: the nodes are emitted, the gradient waits. */
export interface Application {
  inputs: readonly Value[];
  outputs: readonly Value[];
  /** Emits the vector-Jacobian product, from the outputs' gradients (null: zero). */
  gradient: (outputGradients: readonly (Value | null)[]) => Gradients;
}

/** The same with one output. */
export interface SingleApplication {
  inputs: readonly Value[];
  output: Value;
  gradient: (outputGradient: Value) => Gradients;
}

/** Names of all differentiable operations; a test demands a finite-difference check of each. */
export const operations = new Set<string>();

/** How many operations are being applied inside one another; only the outermost is recorded. */
let depth = 0;

/** Defines a differentiable operation with several outputs. */
export function multiOperation<Arguments extends readonly unknown[]>(
  name: string,
  apply: (...args: Arguments) => Application,
): (...args: Arguments) => readonly Value[] {
  if (operations.has(name)) throw new Error(`operation ${name} is defined twice`);
  operations.add(name);
  return (...args) => {
    depth++;
    try {
      const application = apply(...args);
      const { graph } = application.outputs[0]!;
      // An operation used inside another is covered by the outer gradient.
      if (depth === 1 && application.outputs.some((output) => output.tracked))
        graph.tape.push({ operation: name, ...application });
      return application.outputs;
    } finally {
      depth--;
    }
  };
}

/** Defines a differentiable operation: how to emit it and, beside it, how to emit its gradient. */
export function operation<Arguments extends readonly unknown[]>(
  name: string,
  apply: (...args: Arguments) => SingleApplication,
): (...args: Arguments) => Value {
  const multi = multiOperation(name, (...args: Arguments) => {
    const { inputs, output, gradient } = apply(...args);
    return { inputs, outputs: [output], gradient: ([dy]) => gradient(dy!) };
  });
  return (...args) => multi(...args)[0]!;
}
