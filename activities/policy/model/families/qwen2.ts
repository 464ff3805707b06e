import type { Family } from './family.ts';

/** Qwen2 and Qwen2.5, and models distilled into them. */
export const qwen2: Family = {
  architecture: 'Qwen2ForCausalLM',
  biases: ['q', 'k', 'v'],
  interleavedInGguf: false,
  refusedSettings: ['use_sliding_window'],
};
