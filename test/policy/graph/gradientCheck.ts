import assert from 'node:assert/strict';
import { gradients } from '../../../activities/policy/graph/autodiff.ts';
import { evaluate, product, type Shape, type Symbols } from '../../../activities/policy/graph/dims.ts';
import { Graph, type Value } from '../../../activities/policy/graph/graph.ts';
import { add, multiply, reshape, sum } from '../../../activities/policy/graph/ops/index.ts';
import { Program, type Feeds } from '../../../activities/policy/graph/program.ts';
import { randomArray } from '../tinyCheckpoint.ts';

/** One operation on small tensors, with symbolic sizes where it may have them. */
export interface GradientCase {
  symbols?: Symbols;
  /** Tensors whose gradients are checked. */
  tracked: Record<string, Shape>;
  /** Where to differentiate, for operations with kinks; random by default. */
  at?: Record<string, number[]>;
  /** Tensors without gradient: random numbers, or the given ones. */
  fixed?: Record<string, Shape | ({ shape: Shape } & ({ integers: number[] } | { numbers: number[] }))>;
  apply: (values: Record<string, Value>) => Value | readonly Value[];
}

/** Largest distance between numeric and symbolic gradient, relative to the larger norm. */
const tolerance = 1e-3;
/** Step of the five-point difference: its error ~ h⁴ and single-precision noise ~ 1e-7 / h are both small. */
const step = 0.03;

/** Σ output · weights, as a graph value of shape [1]. */
const weightedSum = (output: Value, weights: Value): Value =>
  sum(reshape(multiply(output, weights), [product(...output.shape)]), [0]);

/** Checks the gradient of one operation against finite differences; loss = Σ output · weights, in double. */
export async function checkGradient(name: string, check: GradientCase): Promise<void> {
  const symbols = check.symbols ?? {};
  const size = (shape: Shape) => evaluate(product(...shape), symbols);
  const graph = new Graph();
  const feeds: Feeds = {};
  const values: Record<string, Value> = {};
  for (const [input, shape] of Object.entries(check.tracked)) {
    values[input] = graph.input(input, 'float32', shape, true);
    const chosen = check.at?.[input];
    feeds[input] = chosen ? Float32Array.from(chosen) : randomArray(`${name}.${input}`, size(shape), 0.7);
  }
  for (const [input, fixed] of Object.entries(check.fixed ?? {})) {
    const shape = 'shape' in fixed ? fixed.shape : fixed;
    values[input] = graph.input(input, 'integers' in fixed ? 'int64' : 'float32', shape);
    if ('integers' in fixed) feeds[input] = BigInt64Array.from(fixed.integers.map(BigInt));
    else if ('numbers' in fixed) feeds[input] = Float32Array.from(fixed.numbers);
    else feeds[input] = randomArray(`${name}.${input}`, size(shape), 0.7);
  }
  const applied = check.apply(values);
  const outputs = Array.isArray(applied) ? (applied as readonly Value[]) : [applied as Value];
  const weights = outputs.map((output, i) => {
    feeds[`weights${i}`] = randomArray(`${name}.weights${i}`, size(output.shape), 1);
    return graph.input(`weights${i}`, 'float32', output.shape);
  });
  const tracked = Object.keys(check.tracked);
  const loss = outputs.map((output, i) => weightedSum(output, weights[i]!)).reduce((a, b) => add(a, b));
  gradients(
    loss,
    tracked.map((input) => values[input]!),
  ).forEach((gradient, i) => graph.output(`gradient.${tracked[i]}`, gradient));
  outputs.forEach((output, i) => graph.output(`output${i}`, output));
  const program = await Program.create(graph, { threads: 1 });
  try {
    const results = await program.run(symbols, feeds);
    const lossAt = async (changed: Feeds): Promise<number> => {
      const run = await program.run(symbols, { ...feeds, ...changed });
      return outputs.reduce((total, _, i) => {
        const weight = feeds[`weights${i}`] as Float32Array;
        return run[`output${i}`]!.reduce((t, y, k) => t + y * weight[k]!, total);
      }, 0);
    };
    for (const input of tracked) {
      const at = feeds[input] as Float32Array;
      const symbolic = results[`gradient.${input}`]!;
      const numeric = new Float64Array(at.length);
      for (let k = 0; k < at.length; k++) {
        const moved = async (by: number) => {
          const copy = at.slice();
          copy[k]! += by;
          return lossAt({ [input]: copy });
        };
        const near = (await moved(step)) - (await moved(-step));
        const far = (await moved(2 * step)) - (await moved(-2 * step));
        numeric[k] = (8 * near - far) / (12 * step);
      }
      const norm = (vector: Iterable<number>) => Math.hypot(...vector);
      const distance = norm(numeric.map((slope, k) => slope - symbolic[k]!));
      const scale = Math.max(norm(numeric), norm(symbolic));
      assert.ok(scale > 0.01, `${name}: the gradient of ${input} is ${scale}; the check would show nothing`);
      assert.ok(
        distance <= tolerance * scale,
        `${name}: gradient of ${input} off by ${(distance / scale).toExponential(2)} of its norm ${scale.toFixed(3)}`,
      );
    }
  } finally {
    await program.release();
  }
}
