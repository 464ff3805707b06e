import type { BetweenSteps } from '../engine/protocol.ts';
import type { Program } from '../graph/program.ts';
import type { Group } from '../model/layout.ts';
import type { Tokenizer } from '../policy.ts';

/** Says where an answer lies among the others of its group (ExIt §4.2). Each has a file here, and a line in `index.ts`. */
export interface Embedder {
  /** Of its own files; null for one that has none beside the base model, which every manifest names. */
  readonly sha256: string | null;
  /**
   * The embedding of each completion, in order of group and completion, all of one length. Same groups, same bits.
   * Completions of no tokens are not allowed.
   */
  embed(groups: readonly Group[], betweenSteps: BetweenSteps): Promise<Float32Array[][]>;
}

/** What an embedder may use of the engine that it works in. */
export interface EngineParts {
  /** Of the base model: reads what completions say. */
  tokenizer: Tokenizer;
  /** Means of the base model's hidden states over completions. */
  meanStates: (betweenSteps: BetweenSteps) => Promise<Program>;
  /** Threads of one operation in ONNX Runtime; part of what decides the bits. */
  threads: number;
}

/**
 * Makes an embedder, of the files that set-up found for it.
 *
 * @throws `EmbedderUnavailable` when the files are not there, or not what it can read.
 */
export type OpenEmbedder = (parts: EngineParts, folder: string | null) => Promise<Embedder>;
