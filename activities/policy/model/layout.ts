import type { Feeds, Symbols } from '../graph/program.ts';

/** Rows [start, end) of a per-token array. */
export interface RowRange {
  start: number;
  end: number;
}

/** Token ids laid out for a program: pass `symbols` and `feeds` on (with the adapter and what else it needs). */
export interface Layout {
  symbols: Symbols;
  feeds: Feeds;
}

/** For `prefillProgram` (feeds tokenIds, positions, lastRows; add `temperature` [N]). */
export interface PromptLayout extends Layout {
  /** [N, P] for `decodeProgram`: 0 on prompt tokens, a very negative number on padding. */
  promptMask: Float32Array;
}
export declare function layoutPrompts(prompts: readonly (readonly number[])[]): PromptLayout;

export interface Group {
  promptIds: readonly number[];
  completions: readonly (readonly number[])[];
}

/**
 * For `logProbProgram` and `trainingProgram`: groups of different sizes padded to common N, P, G, C; every
 * completion token is scored.
 */
export interface GroupLayout extends Layout {
  /** R: the length of every per-token array. Rows in no range are padding: give them weight 0. */
  rows: number;
  /** Tokens computed, padding included: N·P + N·G·C. */
  tokens: number;
  /** Where the tokens of a completion are in the per-token arrays (one row a token, in order). */
  rowsOf(group: number, completion: number): RowRange;
}
export declare function layoutGroups(groups: readonly Group[]): GroupLayout;

/** For `textLogProbProgram`: every token but the first of each sequence is scored. */
export interface TextLayout extends Layout {
  rows: number;
  tokens: number;
  /** length − 1 rows: row `start + i` scores token i + 1. */
  rowsOf(sequence: number): RowRange;
}
export declare function layoutTexts(sequences: readonly (readonly number[])[]): TextLayout;
