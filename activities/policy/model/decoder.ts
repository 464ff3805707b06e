import type { Value } from '../graph/graph.ts';
import { add, gatherRows, rmsNorm, rotary, swiglu } from '../graph/ops/index.ts';
import type { Target } from '../weights/adapter.ts';
import { tensorNames } from '../weights/tensors.ts';
import type { ModelConfig } from '../weights/types.ts';

/** How the model gets at its tensors in a graph: packed or fed weights, with or without an adapter. */
export interface Parameters {
  weight(name: string): Value;
  /** x Wᵀ of x [T, in] and the frozen weight W [out, in] of this name. */
  product(name: string, x: Value): Value;
  /** A linear of a layer applied to x [T, in], its bias and its adapter included. */
  linear(layer: number, target: Target, x: Value): Value;
}

/**
 * What the tokens of a graph look at: from the queries [T, heads·D], keys and values [T, kv·D] of its rows, the
 * attention output [T, heads·D]. The only part in which prefill, decode and training differ.
 */
export type Attend = (layer: number, queries: Value, keys: Value, values: Value) => Value;

/** Names of the rotation tables that `arrangeWeights` adds to the model's own tensors. */
export const rotaryNames = { cosine: 'rotary.cosine', sine: 'rotary.sine' };

/** The layers all families share: tokens and their positions [T] to hidden states [T, hidden]. */
export function decoder(
  config: ModelConfig,
  parameters: Parameters,
  attend: Attend,
  tokenIds: Value,
  positions: Value,
): Value {
  const { weight } = parameters;
  const tables = { cosine: weight(rotaryNames.cosine), sine: weight(rotaryNames.sine) };
  const norm = (x: Value, name: string) => rmsNorm(x, weight(name), config.normEpsilon);

  let x = gatherRows(weight(tensorNames.embedding), tokenIds);
  for (let layer = 0; layer < config.layers; layer++) {
    const linear = (target: Target, input: Value) => parameters.linear(layer, target, input);

    const a = norm(x, `model.layers.${layer}.input_layernorm.weight`);
    const [q, k] = [rotary(linear('q', a), positions, tables), rotary(linear('k', a), positions, tables)];
    x = add(x, linear('o', attend(layer, q, k, linear('v', a))));

    const m = norm(x, `model.layers.${layer}.post_attention_layernorm.weight`);
    x = add(x, linear('down', swiglu(linear('gate', m), linear('up', m))));
  }
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
