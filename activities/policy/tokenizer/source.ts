/** What is read here of a `tokenizer.json`; the library reads the rest. */
export interface TokenizerJson {
  added_tokens: { id: number; content: string; special: boolean }[];
  [part: string]: unknown;
}

/** What the files of a model say about its text. */
export interface TokenizerSource {
  /** The model's file or folder, for errors. */
  path: string;
  json: TokenizerJson;
  /** A Jinja template; null for a model that was not trained for chat. */
  chatTemplate: string | null;
  /** The texts of the tokens that begin and end a text; empty when there is none. */
  bos: string;
  eos: string;
  /** Tokens that the files say end an answer. */
  endTokenIds: readonly number[];
  /** Most tokens of a text with its answer; null when the files do not say. */
  contextLength: number | null;
}
