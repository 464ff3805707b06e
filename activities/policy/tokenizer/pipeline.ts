import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { GgufHeader } from '../weights/ggufHeader.ts';

const gpt2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
const cl100k = (digits: string) =>
  String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|` +
  String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`;

/** How the text is cut into words before byte-pair merges, by GGUF's name for it (`tokenizer.ggml.pre`). */
interface Pipeline {
  splits: string[];
  normalizer: 'NFC' | null;
  /** A word that is in the vocabulary as it is becomes that token, whatever the merges say. */
  ignoreMerges: boolean;
}

const pipelines: Record<string, Pipeline> = {
  'gpt-2': { splits: [gpt2], normalizer: null, ignoreMerges: false },
  smollm: { splits: [String.raw`\p{N}`, gpt2], normalizer: null, ignoreMerges: false },
  'llama-bpe': { splits: [cl100k(String.raw`\p{N}{1,3}`)], normalizer: null, ignoreMerges: true },
  qwen2: { splits: [cl100k(String.raw`\p{N}`)], normalizer: 'NFC', ignoreMerges: false },
};

/** GGUF's kinds of token that matter here (`tokenizer.ggml.token_type`). */
export const CONTROL_TOKEN = 3;
const USER_DEFINED_TOKEN = 4;

/**
 * What `tokenizer.json` of the model would say, from the metadata of its GGUF file. The splits are written out
 * as regular expressions, so that digits and white space mean what they mean to the Rust tokeniser.
 */
export function tokenizerJson(header: GgufHeader): object {
  const model = header.text('tokenizer.ggml.model');
  if (model !== 'gpt2')
    throw new TypedFailure(
      'ModelUnavailable',
      `${header.path}: tokeniser '${model}' is not supported; supported: gpt2 (byte-level BPE)`,
    );
  const pre = header.has('tokenizer.ggml.pre') ? header.text('tokenizer.ggml.pre') : 'gpt-2';
  const pipeline = pipelines[pre];
  if (!pipeline)
    throw new TypedFailure(
      'ModelUnavailable',
      `${header.path}: pre-tokeniser '${pre}' is not supported; supported: ${Object.keys(pipelines).join(', ')}`,
    );
  const tokens = header.texts('tokenizer.ggml.tokens');
  const types = header.numbers('tokenizer.ggml.token_type');
  return {
    added_tokens: tokens.flatMap((content, id) =>
      types[id] === CONTROL_TOKEN || types[id] === USER_DEFINED_TOKEN
        ? [{ id, content, special: types[id] === CONTROL_TOKEN, normalized: false }]
        : [],
    ),
    normalizer: pipeline.normalizer && { type: pipeline.normalizer },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        ...pipeline.splits.map((regex) => ({
          type: 'Split',
          pattern: { Regex: regex },
          behavior: 'Isolated',
          invert: false,
        })),
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: header.texts('tokenizer.ggml.merges'),
      ignore_merges: pipeline.ignoreMerges,
      byte_fallback: false,
      fuse_unk: false,
      unk_token: null,
    },
  };
}
