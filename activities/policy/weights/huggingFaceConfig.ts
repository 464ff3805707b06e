import { join } from 'node:path';
import { z } from 'zod';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { families, familyOf, isFamilyName } from '../model/families/index.ts';
import { readJson } from './jsonFile.ts';
import { llama3Divisors } from './rope.ts';
import type { ModelConfig } from './types.ts';

const count = z.int().positive();
const positive = z.number().positive();

const Rope = z.looseObject({
  rope_type: z.string().optional(),
  /** What older files call `rope_type`. */
  type: z.string().optional(),
  rope_theta: positive.optional(),
  partial_rotary_factor: positive.optional(),
});

const Llama3Rope = z.object({
  factor: positive,
  low_freq_factor: positive,
  high_freq_factor: positive,
  original_max_position_embeddings: count,
});

const Config = z.looseObject({
  model_type: z.string(),
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  vocab_size: count,
  max_position_embeddings: count,
  rms_norm_eps: positive,
  hidden_act: z.string().nullish(),
  tie_word_embeddings: z.boolean().nullish(),
  /** Where transformers 5 writes what older files have in `rope_theta` and `rope_scaling`. */
  rope_parameters: Rope.nullish(),
  rope_theta: positive.nullish(),
  rope_scaling: Rope.nullish(),
  quantization_config: z.looseObject({ quant_method: z.string().optional() }).nullish(),
});

/** Reads `config.json` of a folder. Throws `ModelUnavailable`, which names what is missing or not supported. */
export async function readHuggingFaceConfig(folder: string): Promise<ModelConfig> {
  const path = join(folder, 'config.json');
  const refuse = (reason: string): never => {
    throw new TypedFailure('ModelUnavailable', `${path}: ${reason}`);
  };
  // The family first: another one's file may well lack what the schema demands.
  const kind = await readJson(path, z.looseObject({ model_type: z.string() }));
  if (!kind)
    throw new TypedFailure('ModelUnavailable', `${folder} has no config.json: give the folder of a model`);
  const family = kind.model_type;
  if (!isFamilyName(family))
    return refuse(`family '${family}' is not supported; supported: ${Object.keys(families).join(', ')}`);
  const config = (await readJson(path, Config))!;

  for (const setting of familyOf({ family }).refusedSettings)
    if (config[setting]) refuse(`${setting} is not supported`);
  const { hidden_act: activation, quantization_config: quantised } = config;
  if (activation && activation !== 'silu')
    refuse(`activation '${activation}' is not supported; supported: silu`);
  if (quantised)
    refuse(
      `weights quantised by '${quantised.quant_method ?? 'unknown'}' are not supported: ` +
        'take the model before it was quantised, or a GGUF file',
    );
  const heads = config.num_attention_heads;
  const keyValueHeads = config.num_key_value_heads ?? heads;
  if (heads % keyValueHeads !== 0) refuse(`${heads} heads cannot share ${keyValueHeads} key-value heads`);
  const headDim = config.head_dim ?? config.hidden_size / heads;
  if (headDim % 2 !== 0) refuse(`heads of ${headDim} numbers cannot be rotated in pairs`);

  const rope = config.rope_parameters ?? config.rope_scaling ?? {};
  const ropeTheta = rope.rope_theta ?? config.rope_theta ?? 10_000;
  if ((rope.partial_rotary_factor ?? 1) !== 1)
    refuse('rotary embedding of a part of each head is not supported');
  return {
    family,
    hidden: config.hidden_size,
    intermediate: config.intermediate_size,
    layers: config.num_hidden_layers,
    heads,
    keyValueHeads,
    headDim,
    vocabulary: config.vocab_size,
    ropeTheta,
    ropeDivisors: ropeDivisors(),
    normEpsilon: config.rms_norm_eps,
    contextLength: config.max_position_embeddings,
    tiedHead: config.tie_word_embeddings ?? false,
  };

  function ropeDivisors(): number[] | null {
    const type = rope.rope_type ?? rope.type ?? 'default';
    switch (type) {
      case 'default':
        return null;
      case 'llama3': {
        const scaling = Llama3Rope.safeParse(rope);
        if (!scaling.success) return refuse(`rope type llama3: ${z.prettifyError(scaling.error)}`);
        return llama3Divisors(ropeTheta, headDim, scaling.data);
      }
      default:
        return refuse(`rope type '${type}' is not supported; supported: default, llama3`);
    }
  }
}
