import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { readHuggingFaceConfig } from './huggingFaceConfig.ts';
import { readJson } from './jsonFile.ts';
import { sha256OfFile } from './modelFile.ts';
import { openSafetensorsFile, type StoredTensor } from './safetensorsFile.ts';
import { matchTensors, tensorNames } from './tensors.ts';
import type { Checkpoint, ModelConfig } from './types.ts';

const wholeFile = 'model.safetensors';
const indexFile = 'model.safetensors.index.json';
/** What decides the text that goes in and comes out; part of the model's hash, as it is of a GGUF file's. */
export const textFiles = [
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
];

const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => null)) !== null;

/**
 * Opens a folder as transformers saves a model: `config.json` and `model.safetensors`, or its shards and their
 * index. Everything is checked here, so `tensor` fails only for a name the model does not have or a file replaced
 * meanwhile. Throws `ModelUnavailable`.
 */
export async function openFolder(path: string): Promise<Checkpoint> {
  const config = await readHuggingFaceConfig(path);
  const { stored, files } = await listTensors(path);
  const tensors = matchTensors(
    path,
    config,
    stored
      .filter(({ name }) => !isRedundant(name, config))
      .map((tensor) => ({ ...tensor, standsFor: tensor.name })),
  );
  return {
    config,
    name: basename(resolve(path)),
    sha256: await sha256OfFiles(path, ['config.json', ...textFiles, ...files]),
    parameters: [...tensors.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
    tensor(name) {
      const tensor = tensors.get(name);
      if (!tensor) throw new TypedFailure('ModelUnavailable', `${path} has no tensor ${name}`);
      return { shape: [...tensor.shape], data: tensor.read() };
    },
  };
}

/** Copies that some files hold: the embedding once more as head, and frequencies that the configuration gives. */
const isRedundant = (name: string, { tiedHead }: ModelConfig): boolean =>
  (tiedHead && name === tensorNames.head) || name.endsWith('.rotary_emb.inv_freq');

/** The tensors of a folder, and the files that hold them. */
async function listTensors(folder: string): Promise<{ stored: StoredTensor[]; files: string[] }> {
  const refuse = (reason: string): never => {
    throw new TypedFailure('ModelUnavailable', `${folder}: ${reason}`);
  };
  const index = await readJson(
    join(folder, indexFile),
    z.looseObject({ weight_map: z.record(z.string(), z.string()) }),
  );
  if (!index) {
    if (!(await exists(join(folder, wholeFile))))
      refuse(`neither ${wholeFile} nor ${indexFile} is there: save the weights as safetensors`);
    return { stored: [...(await openSafetensorsFile(join(folder, wholeFile))).values()], files: [wholeFile] };
  }
  const shards = new Map<string, Map<string, StoredTensor>>();
  for (const shard of new Set(Object.values(index.weight_map))) {
    if (!(await exists(join(folder, shard))))
      refuse(`shard ${shard} is missing, which ${indexFile} lists: get the folder again`);
    shards.set(shard, await openSafetensorsFile(join(folder, shard)));
  }
  const stored = Object.entries(index.weight_map).map(
    ([name, shard]) =>
      shards.get(shard)?.get(name) ?? refuse(`tensor ${name} is not in ${shard}, where ${indexFile} says`),
  );
  return { stored, files: [indexFile, ...shards.keys()] };
}

/** The hash of what `LC_ALL=C sha256sum` prints for those of the files that there are, sorted by name. */
async function sha256OfFiles(folder: string, names: string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const name of names.sort())
    if (await exists(join(folder, name))) hash.update(`${await sha256OfFile(join(folder, name))}  ${name}\n`);
  return hash.digest('hex');
}
