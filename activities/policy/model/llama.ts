import type { Value } from '../graph/graph.ts';
import { add, gatherRows, rmsNorm, rotary, swiglu } from '../graph/ops/index.ts';
import type { ModelConfig } from '../weights/checkpoint.ts';
import type { LoraTarget } from './lora.ts';

/** A linear map of one layer: the name of its module and what an adapter calls it. */
export interface Linear {
  target: LoraTarget;
  module: string;
  outputs: number;
  inputs: number;
}

/** The linears of a layer, in the order of Hugging Face's Llama. */
export function linears(config: ModelConfig, layer: number): Linear[] {
  const { hidden, intermediate, heads, keyValueHeads, headDim } = config;
  const linear = (target: LoraTarget, path: string, outputs: number, inputs: number): Linear => ({
    target,
    module: `model.layers.${layer}.${path}_proj`,
    outputs,
    inputs,
  });
  return [
    linear('q', 'self_attn.q', heads * headDim, hidden),
    linear('k', 'self_attn.k', keyValueHeads * headDim, hidden),
    linear('v', 'self_attn.v', keyValueHeads * headDim, hidden),
    linear('o', 'self_attn.o', hidden, heads * headDim),
    linear('gate', 'mlp.gate', intermediate, hidden),
    linear('up', 'mlp.up', intermediate, hidden),
    linear('down', 'mlp.down', hidden, intermediate),
  ];
}

/** How the model gets at its tensors in a graph: packed or fed weights, with or without an adapter. */
export interface Parameters {
  weight(name: string): Value;
  /** A linear of the model, its adapter included. */
  apply(linear: Linear, x: Value): Value;
}

/**
 * What the tokens of a graph look at: from the queries [T, heads·D], keys and values [T, kv·D] of its rows, the
 * attention output [T, heads·D]. The only part in which prefill, decode and training differ.
 */
export type Attend = (layer: number, queries: Value, keys: Value, values: Value) => Value;

/** Names of the rotation tables that `arrangeWeights` adds to the model's own tensors. */
export const rotaryNames = { cosine: 'rotary.cosine', sine: 'rotary.sine' };

/** The Llama decoder up to its last layer: tokens and their positions [T] to hidden states [T, hidden]. */
export function llama(
  config: ModelConfig,
  parameters: Parameters,
  attend: Attend,
  tokenIds: Value,
  positions: Value,
): Value {
  const { weight } = parameters;
  const tables = { cosine: weight(rotaryNames.cosine), sine: weight(rotaryNames.sine) };
  const norm = (x: Value, name: string) => rmsNorm(x, weight(name), config.normEpsilon);

  let x = gatherRows(weight('model.embed_tokens.weight'), tokenIds);
  for (let layer = 0; layer < config.layers; layer++) {
    const [q, k, v, o, gate, up, down] = linears(config, layer).map(
      (linear) => (input: Value) => parameters.apply(linear, input),
    ) as [Apply, Apply, Apply, Apply, Apply, Apply, Apply];

    const a = norm(x, `model.layers.${layer}.input_layernorm.weight`);
    const attended = attend(layer, rotary(q(a), positions, tables), rotary(k(a), positions, tables), v(a));
    x = add(x, o(attended));

    const m = norm(x, `model.layers.${layer}.post_attention_layernorm.weight`);
    x = add(x, down(swiglu(gate(m), up(m))));
  }
  return x;
}

type Apply = (input: Value) => Value;

/** What turns hidden states into logits: the final norm, and the output table [vocab, hidden]. */
export function llamaHead(config: ModelConfig, parameters: Parameters) {
  return {
    norm: (x: Value) => rmsNorm(x, parameters.weight('model.norm.weight'), config.normEpsilon),
    table: () => parameters.weight(config.tiedHead ? 'model.embed_tokens.weight' : 'lm_head.weight'),
  };
}
