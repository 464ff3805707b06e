import { z } from 'zod';

/** How GPT-2 cuts text into words; `ByteLevel` does it unless told not to. */
export const gpt2Words = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/** Cuts text at the matches of a regular expression, and keeps matches and what lies between. */
export const splitBy = (regex: string) => ({
  type: 'Split',
  pattern: { Regex: regex },
  behavior: 'Isolated',
  invert: false,
});

const PreTokenizer = z.looseObject({
  type: z.string(),
  pretokenizers: z.array(z.unknown()).optional(),
  individual_digits: z.boolean().optional(),
  add_prefix_space: z.boolean().optional(),
  use_regex: z.boolean().optional(),
  pattern: z.looseObject({ Regex: z.string().optional() }).optional(),
});

/** What Oniguruma reads into `(?i:'s)`: the old long s is a lower-case S. The library folds ASCII letters only. */
const withLongS = (regex: string) => regex.replaceAll("(?i:'s|", "(?i:'[sſ]|");

/**
 * The `pre_tokenizer` of a `tokenizer.json` so that the JavaScript library cuts as the Rust tokeniser does. Its `Digits`
 * knows ASCII digits only, and its `ByteLevel` has JavaScript's idea of white space; both are written out as splits by
 * regular expressions, which the library translates exactly but for one letter.
 */
export function exactPreTokenizer(json: unknown): unknown {
  const parsed = PreTokenizer.safeParse(json);
  // What it does not know is the library's to refuse.
  if (!parsed.success) return json;
  const { type, pretokenizers, individual_digits, add_prefix_space, use_regex, pattern } = parsed.data;
  switch (type) {
    case 'Sequence':
      return { type, pretokenizers: pretokenizers?.map(exactPreTokenizer) };
    case 'Split':
      return pattern?.Regex ? { ...parsed.data, pattern: { Regex: withLongS(pattern.Regex) } } : json;
    case 'Digits':
      return splitBy(individual_digits ? String.raw`\p{N}` : String.raw`\p{N}+`);
    case 'ByteLevel':
      // A space put before the whole text must not be put before each of its words.
      if (use_regex === false || add_prefix_space) return json;
      return { type: 'Sequence', pretokenizers: [splitBy(gpt2Words), { ...parsed.data, use_regex: false }] };
    default:
      return json;
  }
}
