import { Graph, type Value } from '../graph/graph.ts';
import type { Dim } from '../graph/dims.ts';
import { linear, loraLinear, quantisedLinear, type LoraPair } from '../graph/ops/index.ts';
import { Program, type ProgramOptions } from '../graph/program.ts';
import { adapterShapes, loraName, modules, type LoraShape } from '../weights/adapter.ts';
import { tensorShapes } from '../weights/tensors.ts';
import type { Checkpoint, ModelConfig, Tensor } from '../weights/types.ts';
import { decoder, decoderHead, rotaryNames, type Attend, type Parameters } from './decoder.ts';
import { familyOf } from './families/index.ts';
import type { QuantisedWeights } from './quantise.ts';

/** The base model's tensors by Hugging Face name, made once and shared without copies by all programs. */
export interface ModelWeights {
  config: ModelConfig;
  tensors: Readonly<Record<string, Tensor>>;
}

/** Reads all tensors of a checkpoint, and adds the rotation tables. */
export function arrangeWeights(checkpoint: Checkpoint): ModelWeights {
  const { config } = checkpoint;
  const names = [...tensorShapes(config).keys()];
  const tensors = Object.fromEntries(names.map((name) => [name, checkpoint.tensor(name)]));
  return { config, tensors: { ...tensors, ...rotaryTables(config) } };
}

/** cos and sin of position · θ^(−2i/D) / divisor i, in double precision before rounding. */
function rotaryTables({
  contextLength,
  headDim,
  ropeTheta,
  ropeDivisors,
}: ModelConfig): Record<string, Tensor> {
  const half = headDim / 2;
  const frequencies = Array.from(
    { length: half },
    (_, i) => ropeTheta ** (-i / half) / (ropeDivisors?.[i] ?? 1),
  );
  const table = (of: (angle: number) => number): Tensor => {
    const data = new Float32Array(contextLength * half);
    for (let position = 0; position < contextLength; position++)
      for (let i = 0; i < half; i++) data[position * half + i] = of(position * frequencies[i]!);
    return { shape: [contextLength, half], data };
  };
  return { [rotaryNames.cosine]: table(Math.cos), [rotaryNames.sine]: table(Math.sin) };
}

/** A graph that has the model in it but no task yet. */
export interface Draft {
  graph: Graph;
  config: ModelConfig;
  /** The inputs of the adapter, in the order of `adapterShapes`. */
  adapter: Value[];
  /** Hidden states [tokens, hidden] of the inputs tokenIds [tokens] and positions [tokens, 1]. */
  hiddenStates(attend: Attend, tokens: Dim): Value;
  /** The final norm, and the output table [vocab, hidden] or a product with it. */
  head: ReturnType<typeof decoderHead>;
  compile(options: ProgramOptions): Promise<Program>;
}

/**
 * Starts a graph. `fed` weights are inputs that share the buffers of `ModelWeights`; `packed` ones belong to the
 * session, which lays them out for the processor: a third faster when few rows are multiplied, at the price
 * of a copy. Products with `quantised` weights are made in 8 bits: they are fast, and have no gradient.
 */
export function draft(
  { config, tensors }: ModelWeights,
  lora: LoraShape | null,
  placement: 'fed' | 'packed',
  trainAdapter = false,
  quantised: QuantisedWeights = new Map(),
): Draft {
  const graph = new Graph();
  const weights = new Map<string, Value>();
  const weight = (name: string): Value => {
    const known = weights.get(name);
    if (known) return known;
    const { shape, data } = tensors[name]!;
    const value = placement === 'fed' ? graph.input(name, 'float32', shape) : graph.weight(name, shape, data);
    weights.set(name, value);
    return value;
  };
  const adapter = new Map(
    [...(lora ? adapterShapes(config, lora) : [])].map(([name, shape]) => [
      name,
      graph.input(name, 'float32', shape, trainAdapter),
    ]),
  );
  const { biases } = familyOf(config);
  /** x Wᵀ, with a bias and an adapter when there are. */
  const product = (name: string, x: Value, bias: Value | null, pair: LoraPair | null): Value => {
    const rounded = quantised.get(name);
    if (!rounded) return pair ? loraLinear(x, weight(name), pair, bias) : linear(x, weight(name), bias);
    const [outputs, inputs] = rounded.shape;
    const codes = graph.weight(`${name}.codes`, [inputs, outputs], rounded.codes);
    const steps = graph.weight(`${name}.steps`, [outputs], rounded.steps);
    return quantisedLinear(x, { codes, steps }, bias, pair);
  };
  const parameters: Parameters = {
    weight,
    product: (name, x) => product(name, x, null, null),
    linear: (layer, target, x) => {
      const [a, b] = [adapter.get(loraName(layer, target, 'A')), adapter.get(loraName(layer, target, 'B'))];
      const module = `model.layers.${layer}.${modules[target]}`;
      const bias = biases.includes(target) ? weight(`${module}.bias`) : null;
      const pair = lora && a && b ? { a, b, scale: lora.alpha / lora.rank } : null;
      return product(`${module}.weight`, x, bias, pair);
    },
  };
  return {
    graph,
    config,
    adapter: [...adapter.values()],
    hiddenStates: (attend, tokens) => {
      const tokenIds = graph.input('tokenIds', 'int64', [tokens]);
      const positions = graph.input('positions', 'int64', [tokens, 1]);
      return decoder(config, parameters, attend, tokenIds, positions);
    },
    head: decoderHead(config, parameters),
    compile: (options) => {
      const fed = placement === 'fed' ? [...weights.keys()] : [];
      return Program.create(
        graph,
        options,
        Object.fromEntries(fed.map((name) => [name, tensors[name]!.data])),
      );
    },
  };
}
