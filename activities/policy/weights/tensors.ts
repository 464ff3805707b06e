import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { familyOf } from '../model/families/index.ts';
import { linearSizes, modules, type Target } from './adapter.ts';
import type { ModelConfig } from './types.ts';

/** Hugging Face's names of the tensors outside the layers. */
export const tensorNames = {
  embedding: 'model.embed_tokens.weight',
  norm: 'model.norm.weight',
  head: 'lm_head.weight',
};

/** Every tensor a model of this configuration has, by Hugging Face name. */
export function tensorShapes(config: ModelConfig): Map<string, number[]> {
  const { hidden, vocabulary } = config;
  const { biases } = familyOf(config);
  const shapes = new Map([
    [tensorNames.embedding, [vocabulary, hidden]],
    [tensorNames.norm, [hidden]],
  ]);
  if (!config.tiedHead) shapes.set(tensorNames.head, [vocabulary, hidden]);
  const linears = Object.entries(linearSizes(config)) as [Target, { from: number; to: number }][];
  for (let layer = 0; layer < config.layers; layer++) {
    for (const norm of ['input_layernorm', 'post_attention_layernorm'])
      shapes.set(`model.layers.${layer}.${norm}.weight`, [hidden]);
    for (const [target, { from, to }] of linears) {
      const module = `model.layers.${layer}.${modules[target]}`;
      shapes.set(`${module}.weight`, [to, from]);
      if (biases.includes(target)) shapes.set(`${module}.bias`, [to]);
    }
  }
  return shapes;
}

/** A tensor as a file lists it, and the Hugging Face name that the file's own name stands for, if any. */
export interface ListedTensor {
  name: string;
  shape: readonly number[];
  standsFor: string | undefined;
}

/**
 * The tensors of a file by Hugging Face name, exactly those that the model has. Throws `ModelUnavailable`, which
 * names the first that is unknown, of the wrong shape, or missing.
 */
export function matchTensors<Listed extends ListedTensor>(
  path: string,
  config: ModelConfig,
  listed: Iterable<Listed>,
): Map<string, Listed> {
  const refuse = (reason: string): never => {
    throw new TypedFailure('ModelUnavailable', `${path}: ${reason}`);
  };
  const expected = tensorShapes(config);
  const matched = new Map<string, Listed>();
  for (const tensor of listed) {
    const { name, standsFor } = tensor;
    const shape = standsFor === undefined ? undefined : expected.get(standsFor);
    if (standsFor === undefined || !shape)
      return refuse(`tensor ${name} has no place in a ${config.family} model of ${config.layers} layers`);
    if (String(shape) !== String(tensor.shape))
      refuse(`tensor ${name} is [${tensor.shape}], the configuration says [${shape}]`);
    matched.set(standsFor, tensor);
  }
  for (const name of expected.keys()) if (!matched.has(name)) refuse(`the tensor for ${name} is missing`);
  return matched;
}
