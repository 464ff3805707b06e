import { stream } from '../../activities/random.ts';
import { adapterShapes, loraName, modules } from '../../activities/policy/weights/adapter.ts';
import type { LoraShape, Target } from '../../activities/policy/weights/adapter.ts';
import type { Checkpoint, ModelConfig, Tensor } from '../../activities/policy/weights/checkpoint.ts';

/** A Llama of two layers in which no two sizes are equal, so that a mixed-up axis cannot pass. */
export const tinyConfig: ModelConfig = {
  family: 'llama',
  hidden: 40,
  intermediate: 56,
  layers: 2,
  heads: 6,
  keyValueHeads: 2,
  headDim: 16,
  vocabulary: 97,
  ropeTheta: 10000,
  ropeDivisors: null,
  normEpsilon: 1e-5,
  contextLength: 128,
  tiedHead: true,
};

export const allTargets: readonly Target[] = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'];

/** Numbers around `mean`, uniform with the given standard deviation, the same for the same identity. */
export function randomArray(identity: string, count: number, deviation: number, mean = 0): Float32Array {
  const draw = stream(['test', identity]);
  return Float32Array.from({ length: count }, () => mean + (draw() * 2 - 1) * Math.sqrt(3) * deviation);
}

/** A model with random weights, large enough that every part of it matters to the logits. */
export function tinyCheckpoint(changes: Partial<ModelConfig> = {}): Checkpoint {
  const config = { ...tinyConfig, ...changes };
  const tensors = new Map<string, Tensor>();
  const put = (name: string, shape: number[], deviation: number, mean = 0) =>
    tensors.set(name, {
      shape,
      data: randomArray(
        name,
        shape.reduce((a, b) => a * b, 1),
        deviation,
        mean,
      ),
    });
  const shapes = adapterShapes(config, { rank: 1, alpha: 1, targets: allTargets });
  put('model.embed_tokens.weight', [config.vocabulary, config.hidden], 0.5);
  put('model.norm.weight', [config.hidden], 0.2, 1);
  if (!config.tiedHead) put('lm_head.weight', [config.vocabulary, config.hidden], 0.5);
  for (let layer = 0; layer < config.layers; layer++) {
    put(`model.layers.${layer}.input_layernorm.weight`, [config.hidden], 0.2, 1);
    put(`model.layers.${layer}.post_attention_layernorm.weight`, [config.hidden], 0.2, 1);
    for (const target of allTargets) {
      const [outputs] = shapes.get(loraName(layer, target, 'B'))!;
      const [, inputs] = shapes.get(loraName(layer, target, 'A'))!;
      put(`model.layers.${layer}.${modules[target]}.weight`, [outputs, inputs], 1 / Math.sqrt(inputs));
    }
  }
  return {
    config,
    name: 'tiny random Llama',
    sha256: '0'.repeat(64),
    parameters: [...tensors.values()].reduce((total, { data }) => total + data.length, 0),
    tensor: (name) => {
      const tensor = tensors.get(name);
      if (!tensor) throw new Error(`the tiny checkpoint has no tensor '${name}'`);
      return tensor;
    },
  };
}

/** An adapter with both A and B random (a fresh one has B = 0, which would hide the gradient of A). */
export function randomAdapter(config: ModelConfig, lora: LoraShape, seed = 'adapter', deviation = 0.1) {
  return Object.fromEntries(
    [...adapterShapes(config, lora)].map(([name, [rows, columns]]) => [
      name,
      randomArray(`${seed}:${name}`, rows * columns, deviation),
    ]),
  );
}
