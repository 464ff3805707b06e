import type { ModelConfig } from '../weights/checkpoint.ts';
import { linears } from './llama.ts';

export type LoraTarget = 'q' | 'k' | 'v' | 'o' | 'gate' | 'up' | 'down';

/** A LoRA adapter's shape. W x becomes W x + (alpha / rank) B A x, with A [rank, in] and B [out, rank]. */
export interface LoraShape {
  rank: number;
  alpha: number;
  targets: readonly LoraTarget[];
}

/** Names under which PEFT stores the adapter of a module, e.g. of `model.layers.0.self_attn.q_proj`. */
export const adapterNames = (module: string) => ({
  a: `base_model.model.${module}.lora_A.weight`,
  b: `base_model.model.${module}.lora_B.weight`,
});

/** Name and shape of every adapter tensor, in order; these names are inputs of each program that has a LoRA. */
export function adapterTensors(
  config: ModelConfig,
  lora: LoraShape,
): { name: string; shape: [number, number] }[] {
  return Array.from({ length: config.layers }, (_, layer) =>
    linears(config, layer)
      .filter(({ target }) => lora.targets.includes(target))
      .flatMap(({ module, outputs, inputs }) => {
        const { a, b } = adapterNames(module);
        return [
          { name: a, shape: [lora.rank, inputs] as [number, number] },
          { name: b, shape: [outputs, lora.rank] as [number, number] },
        ];
      }),
  ).flat();
}
