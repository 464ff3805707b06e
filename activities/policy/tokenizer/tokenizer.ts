import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { Tokenizer } from '../policy.ts';
import { isFolder } from '../weights/checkpoint.ts';
import { readGgufHeader } from '../weights/ggufHeader.ts';
import { chatTemplate } from './chatTemplate.ts';
import { folderSource } from './folderSource.ts';
import { ggufSource } from './ggufSource.ts';
import type { TokenizerSource } from './source.ts';

/** What is used of the library, whose own declarations do not resolve under Node's module rules. */
interface BytePairTokenizer {
  tokenize(text: string): string[];
  decode(tokenIds: number[], options: { skip_special_tokens: boolean }): string;
  token_to_id(token: string): number | undefined;
}

/** Tokens that end an answer or a text, in the families this project reads, said or not. */
const endTokens = ['<|im_end|>', '<|endoftext|>', '<|end_of_text|>', '<|eot_id|>', '<|eom_id|>'];

/**
 * The tokeniser and chat template of a model, a GGUF file or a Hugging Face folder. Throws `ModelUnavailable` when it
 * has none we can use.
 */
export async function openTokenizer(path: string): Promise<Tokenizer> {
  return tokenizerFrom(
    (await isFolder(path)) ? await folderSource(path) : ggufSource(await readGgufHeader(path)),
  );
}

/**
 * The tokeniser that a model's files describe.
 *
 * `encode` adds no tokens of its own, and reads the text of a control token (`<|im_end|>`) as that token, as
 * transformers does: the chat template writes them so. Text put into a message is therefore trusted; whoever
 * feeds foreign text to a model must take such strings out first.
 */
export function tokenizerFrom(source: TokenizerSource): Tokenizer {
  const tokenizer = open(source);
  const special = source.json.added_tokens.filter((token) => token.special);
  const known = special.filter(({ content }) => endTokens.includes(content)).map(({ id }) => id);
  return {
    renderPrompt: chatTemplate(source),
    encode: (text) =>
      // A byte that the vocabulary lacks is left out, as the Rust tokeniser leaves it out.
      tokenizer.tokenize(text).flatMap((token) => tokenizer.token_to_id(token) ?? []),
    decode: (tokenIds) =>
      tokenIds.length === 0 ? '' : tokenizer.decode(tokenIds, { skip_special_tokens: true }),
    stopTokenIds: [...new Set([...source.endTokenIds, ...known])].sort((a, b) => a - b),
    contextLength: source.contextLength,
  };
}

function open({ path, json }: TokenizerSource): BytePairTokenizer {
  try {
    // Text is wanted as the tokens say it, whatever transformers would tidy up.
    return new HuggingFaceTokenizer(json, { clean_up_tokenization_spaces: false });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TypedFailure('ModelUnavailable', `the tokeniser of ${path} is not supported: ${reason}`, {
      cause,
    });
  }
}
