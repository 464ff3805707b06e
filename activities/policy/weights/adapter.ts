import { TrainingConfig } from '../../../workflows/contract/config.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { stream } from '../../random.ts';
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts';
import type { ModelConfig, Tensor } from './types.ts';

/** Which linears of every layer get a low-rank update, of what rank; it is scaled by alpha / rank. */
export interface LoraShape {
  rank: number;
  alpha: number;
  targets: readonly ('q' | 'k' | 'v' | 'o' | 'gate' | 'up' | 'down')[];
}
export type Target = LoraShape['targets'][number];

/** A LoRA adapter; tensors are named as PEFT saves them (see `loraName`). */
export interface Adapter {
  lora: LoraShape;
  tensors: Map<string, Tensor>;
}

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
export function initialAdapter(config: ModelConfig, lora: LoraShape, seedKeyHex: string): Adapter {
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
  return { lora, tensors };
}

/** The adapter as PEFT's `adapter_model.safetensors`; its shape travels in the metadata. */
export function encodeAdapter({ lora, tensors }: Adapter): Uint8Array<ArrayBuffer> {
  const { rank, alpha, targets } = lora;
  return encodeSafetensors({
    tensors,
    metadata: { format: 'pt', lora: JSON.stringify({ rank, alpha, targets }) },
  });
}

/**
 * Reads `encodeAdapter`'s bytes. With a `config`, the tensors must be those that model takes. Throws
 * `ArtifactCorrupt`.
 */
export function decodeAdapter(bytes: Uint8Array, config?: ModelConfig): Adapter {
  const { tensors, metadata } = decodeSafetensors(bytes);
  const lora = parseLora(metadata['lora']);
  if (config) {
    const expected = adapterShapes(config, lora);
    for (const [name, shape] of expected) {
      const found = tensors.get(name)?.shape;
      if (String(found) !== String(shape))
        throw new TypedFailure(
          'ArtifactCorrupt',
          `the adapter does not fit the model: ${name} is ${found ? `[${found}]` : 'missing'}, ` +
            `the model takes [${shape}]`,
        );
    }
    if (tensors.size !== expected.size)
      throw new TypedFailure(
        'ArtifactCorrupt',
        `the adapter does not fit the model: it has ${tensors.size} tensors, the model takes ${expected.size}`,
      );
  }
  return { lora, tensors };
}

function parseLora(text: string | undefined): LoraShape {
  try {
    return TrainingConfig.shape.lora.parse(JSON.parse(text ?? 'null'));
  } catch (cause) {
    throw new TypedFailure('ArtifactCorrupt', 'an adapter must say its rank, alpha and targets in metadata', {
      cause,
    });
  }
}

/** (1 − alpha) reference + alpha theta, elementwise: how the reference policy follows (ExIt App. A.2). */
export function blendAdapters(reference: Adapter, theta: Adapter, alpha: number): Adapter {
  const blended = new Map<string, Tensor>();
  for (const [name, { shape, data }] of theta.tensors) {
    const from = reference.tensors.get(name);
    if (from?.data.length !== data.length || reference.tensors.size !== theta.tensors.size)
      throw new TypedFailure('ArtifactCorrupt', `the two adapters to blend differ in shape at ${name}`);
    blended.set(name, { shape, data: data.map((value, i) => (1 - alpha) * from.data[i]! + alpha * value) });
  }
  return { lora: theta.lora, tensors: blended };
}

/** The content of PEFT's `adapter_config.json` for this adapter. */
export function peftConfig({ lora }: Adapter, baseModelName: string): Record<string, unknown> {
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
