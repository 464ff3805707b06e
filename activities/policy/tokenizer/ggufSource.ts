import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { GgufHeader } from '../weights/ggufHeader.ts';
import { gpt2Words, splitBy } from './preTokenizer.ts';
import type { TokenizerJson, TokenizerSource } from './source.ts';

// Case does not matter to the contractions, and the old long s is a lower-case S.
const cl100k = (digits: string) =>
  String.raw`(?i:'[sſ]|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|` +
  String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`;

/** How the text is cut into words before byte-pair merges, by GGUF's name for it (`tokenizer.ggml.pre`). */
interface Pipeline {
  splits: string[];
  normalizer: 'NFC' | null;
  /** A word that is in the vocabulary as it is becomes that token, whatever the merges say. */
  ignoreMerges: boolean;
}

const pipelines: Record<string, Pipeline> = {
  'gpt-2': { splits: [gpt2Words], normalizer: null, ignoreMerges: false },
  smollm: { splits: [String.raw`\p{N}`, gpt2Words], normalizer: null, ignoreMerges: false },
  'llama-bpe': { splits: [cl100k(String.raw`\p{N}{1,3}`)], normalizer: null, ignoreMerges: true },
  qwen2: { splits: [cl100k(String.raw`\p{N}`)], normalizer: 'NFC', ignoreMerges: false },
};

/** GGUF's kinds of token that matter here (`tokenizer.ggml.token_type`). */
const CONTROL_TOKEN = 3;
const USER_DEFINED_TOKEN = 4;
/** Fills the vocabulary up to the rows of the embedding; stands for no text. */
const UNUSED_TOKEN = 5;

/** The text side of a GGUF file. Throws `ModelUnavailable` when it has none that can be used. */
export function ggufSource(header: GgufHeader): TokenizerSource {
  const tokens = header.texts('tokenizer.ggml.tokens');
  const idsOf = (...keys: string[]) => keys.filter((key) => header.has(key)).map((key) => header.number(key));
  const textOf = (key: string) => tokens[idsOf(key)[0] ?? -1] ?? '';
  return {
    path: header.path,
    json: tokenizerJson(header),
    chatTemplate: header.has('tokenizer.chat_template') ? header.text('tokenizer.chat_template') : null,
    bos: textOf('tokenizer.ggml.bos_token_id'),
    eos: textOf('tokenizer.ggml.eos_token_id'),
    endTokenIds: idsOf('tokenizer.ggml.eos_token_id', 'tokenizer.ggml.eot_token_id'),
    contextLength: idsOf(`${header.text('general.architecture')}.context_length`)[0] ?? null,
  };
}

/**
 * What `tokenizer.json` of the model would say, from the metadata of its GGUF file. The splits are written out
 * as regular expressions, so that digits and white space mean what they mean to the Rust tokeniser.
 */
function tokenizerJson(header: GgufHeader): TokenizerJson {
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
  const plain = { normalized: false, single_word: false, lstrip: false, rstrip: false };
  return {
    version: '1.0',
    added_tokens: tokens.flatMap((content, id) =>
      types[id] === CONTROL_TOKEN || types[id] === USER_DEFINED_TOKEN
        ? [{ id, content, special: types[id] === CONTROL_TOKEN, ...plain }]
        : [],
    ),
    normalizer: pipeline.normalizer && { type: pipeline.normalizer },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        ...pipeline.splits.map(splitBy),
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(
        tokens.map((token, id) => [token, id] as const).filter(([, id]) => types[id] !== UNUSED_TOKEN),
      ),
      merges: header.texts('tokenizer.ggml.merges'),
      ignore_merges: pipeline.ignoreMerges,
      byte_fallback: false,
      fuse_unk: false,
      unk_token: null,
    },
  };
}
