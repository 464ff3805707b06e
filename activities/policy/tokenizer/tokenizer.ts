import { Template } from '@huggingface/jinja';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { Tokenizer } from '../policy.ts';
import { readGgufHeader } from '../weights/ggufHeader.ts';
import type { GgufHeader } from '../weights/ggufHeader.ts';
import { CONTROL_TOKEN, tokenizerJson } from './pipeline.ts';

/** What is used of the library, whose own declarations do not resolve under Node's module rules. */
interface BytePairTokenizer {
  tokenize(text: string): string[];
  decode(tokenIds: number[], options: { skip_special_tokens: boolean }): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
}

/** Tokens that end an answer or a text, in the families this project reads. */
const endTokens = ['<|im_end|>', '<|endoftext|>', '<|end_of_text|>', '<|eot_id|>'];

/** The tokeniser and chat template inside a GGUF file. Throws `ModelUnavailable` when it has none we can use. */
export async function openTokenizer(path: string): Promise<Tokenizer> {
  return tokenizerFrom(await readGgufHeader(path));
}

/**
 * The tokeniser that a GGUF header describes.
 *
 * `encode` adds no tokens of its own, and reads the text of a control token (`<|im_end|>`) as that token, as
 * transformers does: the chat template writes them so. Text put into a message is therefore trusted; whoever
 * feeds foreign text to a model must take such strings out first.
 */
export function tokenizerFrom(header: GgufHeader): Tokenizer {
  const tokenizer: BytePairTokenizer = new HuggingFaceTokenizer(tokenizerJson(header), {
    clean_up_tokenization_spaces: false,
  });
  const template = header.has('tokenizer.chat_template')
    ? new Template(header.text('tokenizer.chat_template'))
    : null;
  const nameOf = (key: string) => (header.has(key) ? (tokenizer.id_to_token(header.number(key)) ?? '') : '');
  const bos = nameOf('tokenizer.ggml.bos_token_id');
  const eos = nameOf('tokenizer.ggml.eos_token_id');

  return {
    renderPrompt(messages) {
      if (!template)
        throw new TypedFailure(
          'ModelUnavailable',
          `${header.path} has no chat template: take a model that was trained for chat`,
        );
      try {
        return template.render({ messages, add_generation_prompt: true, bos_token: bos, eos_token: eos });
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new TypedFailure(
          'ModelUnavailable',
          `the chat template of ${header.path} refuses these messages (${messages
            .map(({ role }) => role)
            .join(', ')}): ${reason}`,
          { cause },
        );
      }
    },
    encode: (text) =>
      // A byte that the vocabulary lacks is left out, as the Rust tokeniser leaves it out.
      tokenizer.tokenize(text).flatMap((token) => tokenizer.token_to_id(token) ?? []),
    decode: (tokenIds) =>
      tokenIds.length === 0 ? '' : tokenizer.decode(tokenIds, { skip_special_tokens: true }),
    stopTokenIds: stopTokenIds(header, tokenizer),
  };
}

function stopTokenIds(header: GgufHeader, tokenizer: BytePairTokenizer): number[] {
  const types = header.numbers('tokenizer.ggml.token_type');
  const ids = new Set<number>();
  for (const key of ['tokenizer.ggml.eos_token_id', 'tokenizer.ggml.eot_token_id'])
    if (header.has(key)) ids.add(header.number(key));
  for (const token of endTokens) {
    const id = tokenizer.token_to_id(token);
    if (id !== undefined && types[id] === CONTROL_TOKEN) ids.add(id);
  }
  return [...ids].sort((a, b) => a - b);
}
