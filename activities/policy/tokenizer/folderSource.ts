import { join } from 'node:path';
import { z } from 'zod';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { readJson, readText } from '../weights/jsonFile.ts';
import { exactPreTokenizer } from './preTokenizer.ts';
import type { TokenizerSource } from './source.ts';

const TokenizerFile = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.int(), content: z.string(), special: z.boolean() })),
  pre_tokenizer: z.unknown(),
  model: z.looseObject({ type: z.string() }),
});

/** A token in `tokenizer_config.json`, which may be written with its properties. */
const Token = z
  .union([z.string(), z.looseObject({ content: z.string() }).transform(({ content }) => content)])
  .nullish();
const Settings = z.looseObject({
  bos_token: Token,
  eos_token: Token,
  chat_template: z
    .union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))])
    .nullish(),
});
const EndTokens = z.looseObject({ eos_token_id: z.union([z.int(), z.array(z.int())]).nullish() });
const Context = z.looseObject({ max_position_embeddings: z.int().nullish() });

/** The text side of a Hugging Face folder. Throws `ModelUnavailable` when it has none that can be used. */
export async function folderSource(path: string): Promise<TokenizerSource> {
  const json = await readJson(join(path, 'tokenizer.json'), TokenizerFile);
  if (!json)
    throw new TypedFailure(
      'ModelUnavailable',
      `${path} has no tokenizer.json: save the tokeniser with it (transformers' save_pretrained)`,
    );
  if (json.model.type !== 'BPE')
    throw new TypedFailure(
      'ModelUnavailable',
      `${path}: tokeniser '${json.model.type}' is not supported; supported: BPE`,
    );
  const settings = (await readJson(join(path, 'tokenizer_config.json'), Settings)) ?? {};
  const eos = settings.eos_token ?? '';
  const endTokenIds = json.added_tokens.flatMap(({ id, content }) => (content === eos ? [id] : []));
  for (const file of ['generation_config.json', 'config.json'])
    endTokenIds.push(...[(await readJson(join(path, file), EndTokens))?.eos_token_id ?? []].flat());
  return {
    path,
    json: { ...json, pre_tokenizer: exactPreTokenizer(json.pre_tokenizer) },
    chatTemplate: (await readText(join(path, 'chat_template.jinja'))) ?? templateOf(settings),
    bos: settings.bos_token ?? '',
    eos,
    endTokenIds,
    contextLength: (await readJson(join(path, 'config.json'), Context))?.max_position_embeddings ?? null,
  };
}

/** Of several templates, the one for plain chat is called default. */
function templateOf({ chat_template: template }: z.infer<typeof Settings>): string | null {
  if (!Array.isArray(template)) return template ?? null;
  return template.find(({ name }) => name === 'default')?.template ?? null;
}
