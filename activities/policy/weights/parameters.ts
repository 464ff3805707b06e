import { TrainingConfig } from '../../../workflows/contract/config.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { adapterShapes, initialAdapter, type LoraShape } from './adapter.ts';
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts';
import { tensorShapes } from './tensors.ts';
import type { Checkpoint, ModelConfig, Tensor } from './types.ts';

/** What of a policy is its own, and trained: an adapter of this shape beside the frozen base model, or all weights. */
export type Trainable = LoraShape | 'full';

/** A policy's own tensors, by PEFT's names when they are an adapter's, by Hugging Face's when they are all weights. */
export interface PolicyParameters {
  trainable: Trainable;
  tensors: Map<string, Tensor>;
}

/**
 * Most weights that are trained in full: AdamW's state, two numbers for each, is one object, and neither hashes nor
 * messages take more than 2 GiB.
 */
const mostWeights = 2 ** 28 - 2 ** 20;

/** The tensors that a policy of this kind has for this model. */
export function parameterShapes(config: ModelConfig, trainable: Trainable): Map<string, number[]> {
  return trainable === 'full' ? tensorShapes(config) : adapterShapes(config, trainable);
}

/**
 * What a run begins with: a fresh adapter made from the seed, or, without `lora`, the model's own weights. Throws
 * `InvalidRunConfig` for a model that is too large to be trained in full.
 */
export function initialParameters(
  checkpoint: Checkpoint,
  lora: LoraShape | null,
  seedKeyHex: string,
): PolicyParameters {
  const { config, parameters } = checkpoint;
  if (lora) return { trainable: lora, tensors: initialAdapter(config, lora, seedKeyHex) };
  if (parameters > mostWeights)
    throw new TypedFailure(
      'InvalidRunConfig',
      `training.lora: null trains all ${parameters} weights of the model, supported are ${mostWeights}: ` +
        'train an adapter, or take a smaller model',
    );
  const names = [...tensorShapes(config).keys()];
  return { trainable: 'full', tensors: new Map(names.map((name) => [name, checkpoint.tensor(name)])) };
}

/**
 * Parameters as safetensors: an adapter as PEFT's `adapter_model.safetensors` with its shape in the metadata, all
 * weights as transformers' `model.safetensors`.
 */
export function encodeParameters({ trainable, tensors }: PolicyParameters): Uint8Array<ArrayBuffer> {
  return encodeSafetensors({ tensors, metadata: { format: 'pt', ...metadataOf(trainable) } });
}

function metadataOf(trainable: Trainable): Record<string, string> {
  if (trainable === 'full') return { weights: 'full' };
  const { rank, alpha, targets } = trainable;
  return { lora: JSON.stringify({ rank, alpha, targets }) };
}

/**
 * Reads `encodeParameters`'s bytes. With a `config`, the tensors must be those that model takes. Throws
 * `ArtifactCorrupt`.
 */
export function decodeParameters(bytes: Uint8Array, config?: ModelConfig): PolicyParameters {
  const { tensors, metadata } = decodeSafetensors(bytes);
  const trainable = metadata['weights'] === 'full' ? 'full' : parseLora(metadata['lora']);
  if (config) {
    const expected = parameterShapes(config, trainable);
    for (const [name, shape] of expected) {
      const found = tensors.get(name)?.shape;
      if (String(found) !== String(shape))
        throw new TypedFailure(
          'ArtifactCorrupt',
          `the policy does not fit the model: ${name} is ${found ? `[${found}]` : 'missing'}, ` +
            `the model takes [${shape}]`,
        );
    }
    if (tensors.size !== expected.size)
      throw new TypedFailure(
        'ArtifactCorrupt',
        `the policy does not fit the model: it has ${tensors.size} tensors, the model takes ${expected.size}`,
      );
  }
  return { trainable, tensors };
}

function parseLora(text: string | undefined): LoraShape {
  try {
    return TrainingConfig.shape.lora.unwrap().parse(JSON.parse(text ?? 'null'));
  } catch (cause) {
    throw new TypedFailure(
      'ArtifactCorrupt',
      "a policy must say in its metadata that its weights are 'full', or its adapter's rank, alpha and targets",
      { cause },
    );
  }
}

/** (1 − alpha) reference + alpha theta, elementwise: how the reference policy follows (ExIt App. A.2). */
export function blendParameters(
  reference: PolicyParameters,
  theta: PolicyParameters,
  alpha: number,
): PolicyParameters {
  const blended = new Map<string, Tensor>();
  for (const [name, { shape, data }] of theta.tensors) {
    const from = reference.tensors.get(name);
    if (from?.data.length !== data.length || reference.tensors.size !== theta.tensors.size)
      throw new TypedFailure('ArtifactCorrupt', `the two policies to blend differ in shape at ${name}`);
    blended.set(name, { shape, data: data.map((value, i) => (1 - alpha) * from.data[i]! + alpha * value) });
  }
  return { trainable: theta.trainable, tensors: blended };
}
