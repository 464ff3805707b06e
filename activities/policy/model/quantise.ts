import { symbol } from '../graph/dims.ts';
import { Graph } from '../graph/graph.ts';
import { quantiseWeight } from '../graph/ops/index.ts';
import { Program, type ProgramOptions } from '../graph/program.ts';
import { modules } from '../weights/adapter.ts';
import { tensorNames } from '../weights/tensors.ts';
import type { ModelWeights } from './draft.ts';

/** A weight [out, in] in 8 bits: codes [in, out], and the step [out] between the codes of each row. */
export interface QuantisedTensor {
  shape: readonly [outputs: number, inputs: number];
  codes: Int8Array;
  steps: Float32Array;
}

/** The weights that a step of decoding multiplies with, by name. */
export type QuantisedWeights = ReadonlyMap<string, QuantisedTensor>;

/** Quantises the linears of all layers and the output table, by ONNX Runtime, which is quick at it. */
export async function quantiseWeights(
  { config, tensors }: ModelWeights,
  options: ProgramOptions,
): Promise<QuantisedWeights> {
  const names = [config.tiedHead ? tensorNames.embedding : tensorNames.head];
  for (let layer = 0; layer < config.layers; layer++)
    for (const module of Object.values(modules)) names.push(`model.layers.${layer}.${module}.weight`);
  const programs = new Map<number, Program>();
  const quantised = new Map<string, QuantisedTensor>();
  for (const name of names) {
    const { shape, data } = tensors[name]!;
    const [outputs, inputs] = shape as [number, number];
    const program = programs.get(inputs) ?? (await quantisingProgram(inputs, options));
    programs.set(inputs, program);
    const { codes, steps } = await program.run({ O: outputs }, { weight: data });
    quantised.set(name, { shape: [outputs, inputs], codes: new Int8Array(codes!), steps: steps! });
  }
  for (const program of programs.values()) await program.release();
  return quantised;
}

/** Feeds: `weight` [O, in]. Outputs: `codes` [in, O], whole numbers, and `steps` [O]. */
function quantisingProgram(inputs: number, options: ProgramOptions): Promise<Program> {
  const graph = new Graph();
  const { codes, steps } = quantiseWeight(graph.input('weight', 'float32', [symbol('O'), inputs]));
  graph.output('codes', codes);
  graph.output('steps', steps);
  return Program.create(graph, options);
}
