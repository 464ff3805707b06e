import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { TypedFailure } from '../../workflows/contract/failures.ts';
import { familyOf } from './model/families/index.ts';
import { ggufSource } from './tokenizer/ggufSource.ts';
import { isFolder, openCheckpoint, type ModelConfig } from './weights/checkpoint.ts';
import { readGgufHeader } from './weights/ggufHeader.ts';
import { textFiles } from './weights/huggingFace.ts';
import { readJson, readText } from './weights/jsonFile.ts';
import { decodeParameters } from './weights/parameters.ts';

/**
 * Writes all weights of a policy as the folder that transformers' `from_pretrained(dir)` opens, and this project as a
 * model: `model.safetensors` in float32, with `config.json` and tokeniser of the model that the run began with, a GGUF
 * file or a Hugging Face folder. Makes the folder. Throws `ArtifactCorrupt` on bytes that are not all weights of that
 * model, and `ModelUnavailable` when it cannot be opened, or not be described by a `config.json`.
 */
export async function writeModelFolder(dir: string, weights: Uint8Array, modelPath: string): Promise<void> {
  const { config } = await openCheckpoint(modelPath);
  decodeParameters(weights, config);
  const described = (await isFolder(modelPath))
    ? await describedByFolder(modelPath)
    : await describedByGguf(modelPath, config);
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'model.safetensors'), weights);
  for (const [file, text] of described) await writeFile(join(dir, file), text);
}

const json = (value: unknown) => JSON.stringify(value, null, 2) + '\n';

/** The files of a folder that say what its weights are for. */
async function describedByFolder(folder: string): Promise<Map<string, string>> {
  const { dtype: _, ...config } = (await readJson(join(folder, 'config.json'), z.looseObject({})))!;
  const files = new Map([['config.json', json({ ...config, torch_dtype: 'float32' })]]);
  for (const file of textFiles) {
    const text = await readText(join(folder, file));
    if (text !== null) files.set(file, text);
  }
  return files;
}

/** The same files, from what a GGUF file says. */
async function describedByGguf(path: string, config: ModelConfig): Promise<Map<string, string>> {
  if (config.ropeDivisors)
    throw new TypedFailure(
      'ModelUnavailable',
      `${path} has scaled rotary frequencies, but not the rule they follow, which a config.json must name: ` +
        'to export all weights, train from the Hugging Face folder of the model',
    );
  const { json: tokenizer, chatTemplate, bos, eos, endTokenIds } = ggufSource(await readGgufHeader(path));
  return new Map([
    [
      'config.json',
      json({
        architectures: [familyOf(config).architecture],
        model_type: config.family,
        hidden_size: config.hidden,
        intermediate_size: config.intermediate,
        num_hidden_layers: config.layers,
        num_attention_heads: config.heads,
        num_key_value_heads: config.keyValueHeads,
        head_dim: config.headDim,
        vocab_size: config.vocabulary,
        max_position_embeddings: config.contextLength,
        rope_theta: config.ropeTheta,
        rms_norm_eps: config.normEpsilon,
        hidden_act: 'silu',
        tie_word_embeddings: config.tiedHead,
        torch_dtype: 'float32',
      }),
    ],
    ['generation_config.json', json({ eos_token_id: endTokenIds })],
    ['tokenizer.json', json(tokenizer)],
    [
      'tokenizer_config.json',
      json({
        tokenizer_class: 'PreTrainedTokenizerFast',
        clean_up_tokenization_spaces: false,
        ...(bos && { bos_token: bos }),
        ...(eos && { eos_token: eos }),
        ...(chatTemplate && { chat_template: chatTemplate }),
      }),
    ],
  ]);
}
