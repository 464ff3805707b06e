import { stream } from '../../random.ts';
import type { ModelConfig, Tensor } from './types.ts';

/** Which linears of every layer get a low-rank update, of what rank; it is scaled by alpha / rank. */
export interface LoraShape {
  rank: number;
  alpha: number;
  targets: readonly ('q' | 'k' | 'v' | 'o' | 'gate' | 'up' | 'down')[];
}
export type Target = LoraShape['targets'][number];

/** Where a layer has them. */
export const modules: Record<Target, string> = {
  q: 'self_attn.q_proj',
  k: 'self_attn.k_proj',
  v: 'self_attn.v_proj',
  o: 'self_attn.o_proj',
  gate: 'mlp.gate_proj',
  up: 'mlp.up_proj',
  down: 'mlp.down_proj',
};

/** PEFT's name: `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`; A is [rank, in], B [out, rank]. */
export function loraName(layer: number, target: Target, half: 'A' | 'B'): string {
  return `base_model.model.model.layers.${layer}.${modules[target]}.lora_${half}.weight`;
}

/** How many numbers each linear of a layer takes and gives. */
export function linearSizes(config: ModelConfig): Record<Target, { from: number; to: number }> {
  const { hidden, intermediate } = config;
  const queries = config.heads * config.headDim;
  const keys = config.keyValueHeads * config.headDim;
  return {
    q: { from: hidden, to: queries },
    k: { from: hidden, to: keys },
    v: { from: hidden, to: keys },
    o: { from: queries, to: hidden },
    gate: { from: hidden, to: intermediate },
    up: { from: hidden, to: intermediate },
    down: { from: intermediate, to: hidden },
  };
}

/** The tensors an adapter of this shape has for this model, in the order of the layers. */
export function adapterShapes(config: ModelConfig, lora: LoraShape): Map<string, [number, number]> {
  const linears = linearSizes(config);
  const shapes = new Map<string, [number, number]>();
  for (let layer = 0; layer < config.layers; layer++)
    for (const target of lora.targets) {
      shapes.set(loraName(layer, target, 'A'), [lora.rank, linears[target].from]);
      shapes.set(loraName(layer, target, 'B'), [linears[target].to, lora.rank]);
    }
  return shapes;
}

/**
 * A fresh adapter, as PEFT makes it: A Kaiming-uniform with a = √5, which is U(−1/√in, 1/√in), and B zero, so
 * that it changes nothing yet. Each tensor's numbers come from the seed and its name alone.
 */
export function initialAdapter(
  config: ModelConfig,
  lora: LoraShape,
  seedKeyHex: string,
): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const [name, shape] of adapterShapes(config, lora)) {
    const data = new Float32Array(shape[0] * shape[1]);
    if (name.includes('.lora_A.')) {
      const draw = stream([seedKeyHex, 'adapter', name]);
      const bound = 1 / Math.sqrt(shape[1]);
      for (let i = 0; i < data.length; i++) data[i] = (2 * draw() - 1) * bound;
    }
    tensors.set(name, { shape, data });
  }
  return tensors;
}

/** The content of PEFT's `adapter_config.json` for an adapter of this shape. */
export function peftConfig(lora: LoraShape, baseModelName: string): Record<string, unknown> {
  return {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: baseModelName,
    inference_mode: true,
    r: lora.rank,
    lora_alpha: lora.alpha,
    lora_dropout: 0,
    bias: 'none',
    fan_in_fan_out: false,
    use_rslora: false,
    init_lora_weights: true,
    target_modules: lora.targets.map((target) => modules[target].split('.').at(-1)),
  };
}
