import { checkpoint } from '../graph/checkpoint.ts';
import type { Value } from '../graph/graph.ts';
import { add, embed, rmsNorm, rotary, swiglu } from '../graph/ops/index.ts';
import type { Target } from '../weights/adapter.ts';
import { tensorNames } from '../weights/tensors.ts';
import type { ModelConfig } from '../weights/types.ts';

/** How the model gets at its tensors in a graph: packed or fed weights, with or without an adapter. */
export interface Parameters {
  weight(name: string): Value;
  /** A weight of which only some rows are read. */
  table(name: string): Value;
  /** x Wᵀ of x [T, in] and the frozen weight W [out, in] of this name. */
  product(name: string, x: Value): Value;
  /** Linears of a layer that all take x [T, in], their biases and adapters included. */
  linears(layer: number, targets: readonly Target[], x: Value): readonly Value[];
}

/**
 * What the tokens of a graph look at: from the queries [T, heads·D], keys and values [T, kv·D] of its rows, the
 * attention output [T, heads·D]. The only part in which prefill, decode and training differ.
 */
export type Attend = (layer: number, queries: Value, keys: Value, values: Value) => Value;

/** Names of the rotation tables that `arrangeWeights` adds to the model's own tensors. */
export const rotaryNames = { cosine: 'rotary.cosine', sine: 'rotary.sine' };

/**
 * The layers all families share: tokens and their positions [T] to hidden states [T, hidden]. `checkpointed`: layers
 * are computed again in the backward pass.
 */
export function decoder(
  config: ModelConfig,
  parameters: Parameters,
  attend: Attend,
  tokenIds: Value,
  positions: Value,
  checkpointed: boolean,
): Value {
  const { weight, table } = parameters;
  const tables = { cosine: table(rotaryNames.cosine), sine: table(rotaryNames.sine) };
  const norm = (x: Value, name: string) => rmsNorm(x, weight(name), config.normEpsilon);

  const layerOf = (layer: number) => (x: Value) => {
    const linears = (targets: readonly Target[], input: Value) => parameters.linears(layer, targets, input);
    const linear = (target: Target, input: Value) => linears([target], input)[0]!;

    const a = norm(x, `model.layers.${layer}.input_layernorm.weight`);
    const [q, k, v] = linears(['q', 'k', 'v'], a) as [Value, Value, Value];
    const seen = attend(layer, rotary(q, positions, tables), rotary(k, positions, tables), v);
    const h = add(x, linear('o', seen));

    const m = norm(h, `model.layers.${layer}.post_attention_layernorm.weight`);
    const [gate, up] = linears(['gate', 'up'], m) as [Value, Value];
    return add(h, linear('down', swiglu(gate, up)));
  };

  let x = embed(table(tensorNames.embedding), tokenIds);
  for (let layer = 0; layer < config.layers; layer++)
    x = checkpointed ? checkpoint(x, layerOf(layer)) : layerOf(layer)(x);
  return x;
}

/** What turns hidden states into logits: the final norm, and the output table [vocab, hidden] or a product with it. */
export function decoderHead(config: ModelConfig, { weight, product }: Parameters) {
  const table = config.tiedHead ? tensorNames.embedding : tensorNames.head;
  return {
    norm: (x: Value) => rmsNorm(x, weight(tensorNames.norm), config.normEpsilon),
    table: () => weight(table),
    logits: (normed: Value) => product(table, normed),
  };
}
