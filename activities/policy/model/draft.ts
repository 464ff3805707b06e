import { Graph, type Value } from '../graph/graph.ts';
import type { Dim } from '../graph/dims.ts';
import { linear, loraLinears, quantisedLinear, type LoraLinear, type LoraPair } from '../graph/ops/index.ts';
import { Program, type ProgramOptions } from '../graph/program.ts';
import { loraName, modules } from '../weights/adapter.ts';
import { parameterShapes, type Trainable } from '../weights/parameters.ts';
import { tensorShapes } from '../weights/tensors.ts';
import type { Checkpoint, ModelConfig, Tensor } from '../weights/types.ts';
import { decoder, decoderHead, rotaryNames, type Attend, type Parameters } from './decoder.ts';
import { familyOf } from './families/index.ts';
import type { QuantisedWeights } from './quantise.ts';

/** A model's tensors by Hugging Face name, made once and shared without copies by all programs. */
export interface ModelWeights {
  config: ModelConfig;
  tensors: Readonly<Record<string, Tensor>>;
}

/** Reads all tensors of a model, and adds the rotation tables. */
export function arrangeWeights(checkpoint: Pick<Checkpoint, 'config' | 'tensor'>): ModelWeights {
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
  /** The inputs of the policy's own tensors, in the order of `parameterShapes`. */
  policy: Value[];
  /** Hidden states [tokens, hidden] of the inputs tokenIds [tokens] and positions [tokens, 1]. */
  hiddenStates(attend: Attend, tokens: Dim, checkpointed?: boolean): Value;
  /** The final norm, and the output table [vocab, hidden] or a product with it. */
  head: ReturnType<typeof decoderHead>;
  compile(): Promise<Program>;
}

/**
 * Starts a graph. A policy's own tensors are inputs, fed in each run: an adapter's beside the model's weights, or all
 * weights in their place; null: the model as it is. `fed` weights of the model are inputs that share the buffers of
 * `ModelWeights`; `packed` ones belong to the session, which lays them out for the processor: a third faster when few
 * rows are multiplied, at the price of a copy. Accelerators decide for themselves: fed where one copy can be held for
 * all programs, else packed, so that weights are not sent in every run. Products with `quantised` weights are made in 8
 * bits: they are fast, and have no gradient.
 */
export function draft(
  { config, tensors }: ModelWeights,
  trainable: Trainable | null,
  onProcessor: 'fed' | 'packed',
  options: ProgramOptions,
  train = false,
  quantised: QuantisedWeights = new Map(),
): Draft {
  const { accelerator } = options;
  const onAccelerator = accelerator?.holds ? 'fed' : 'packed';
  const placement = accelerator ? onAccelerator : onProcessor;
  const graph = new Graph(accelerator?.kind);
  const policy = new Map(
    [...(trainable ? parameterShapes(config, trainable) : [])].map(([name, shape]) => [
      name,
      graph.input(name, 'float32', shape, train),
    ]),
  );
  const weights = new Map<string, Value>();
  const weight = (name: string): Value => {
    const known = policy.get(name) ?? weights.get(name);
    if (known) return known;
    const { shape, data } = tensors[name]!;
    const value = placement === 'fed' ? graph.input(name, 'float32', shape) : graph.weight(name, shape, data);
    weights.set(name, value);
    return value;
  };
  const shared: Record<string, Float32Array> = {};
  /** A table of which only rows are read gains nothing by being packed, and would be held twice. */
  const table = (name: string): Value => {
    if (placement === 'fed' || accelerator) return weight(name);
    const { shape, data } = tensors[name]!;
    shared[`${name}:rows`] = data;
    return graph.input(`${name}:rows`, 'float32', shape);
  };
  const lora = trainable === 'full' ? null : trainable;
  const { biases } = familyOf(config);
  /** x Wᵀ, with a bias and an adapter when there are; null for a weight that is not quantised. */
  const inEightBits = (name: string, x: Value, bias: Value | null, pair: LoraPair | null): Value | null => {
    const rounded = quantised.get(name);
    if (!rounded) return null;
    const [outputs, inputs] = rounded.shape;
    const codes = graph.weight(`${name}.codes`, [inputs, outputs], rounded.codes);
    const steps = graph.weight(`${name}.steps`, [outputs], rounded.steps);
    return quantisedLinear(x, { codes, steps }, bias, pair);
  };
  const parameters: Parameters = {
    weight,
    table,
    product: (name, x) => inEightBits(name, x, null, null) ?? linear(x, weight(name)),
    linears: (layer, targets, x) => {
      const parts = targets.map((target) => {
        const module = `model.layers.${layer}.${modules[target]}`;
        const [a, b] = [policy.get(loraName(layer, target, 'A')), policy.get(loraName(layer, target, 'B'))];
        return {
          name: `${module}.weight`,
          bias: biases.includes(target) ? weight(`${module}.bias`) : null,
          pair: lora && a && b ? { a, b, scale: lora.alpha / lora.rank } : null,
        };
      });
      const adapted = parts.flatMap(({ name, bias, pair }): LoraLinear[] =>
        pair && !quantised.has(name) ? [{ weight: weight(name), bias, ...pair }] : [],
      );
      const together = adapted.length > 0 ? [...loraLinears(x, adapted)] : [];
      return parts.map(({ name, bias, pair }) => {
        const rounded = inEightBits(name, x, bias, pair);
        if (rounded) return rounded;
        return pair ? together.shift()! : linear(x, weight(name), bias);
      });
    },
  };
  return {
    graph,
    config,
    policy: [...policy.values()],
    hiddenStates: (attend, tokens, checkpointed = false) => {
      const tokenIds = graph.input('tokenIds', 'int64', [tokens]);
      const positions = graph.input('positions', 'int64', [tokens, 1]);
      return decoder(config, parameters, attend, tokenIds, positions, checkpointed);
    },
    head: decoderHead(config, parameters),
    compile: () => {
      const fed = placement === 'fed' ? [...weights.keys()] : [];
      const bound = Object.fromEntries(fed.map((name) => [name, tensors[name]!.data]));
      return Program.create(graph, options, { ...bound, ...shared });
    },
  };
}
