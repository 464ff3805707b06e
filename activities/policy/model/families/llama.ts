import type { Family } from './family.ts';

/** Llama 1 to 3.3, and what is built like it: SmolLM, SmolLM2, TinyLlama. */
export const llama: Family = {
  architecture: 'LlamaForCausalLM',
  biases: [],
  interleavedInGguf: true,
  refusedSettings: ['attention_bias', 'mlp_bias'],
};
