import type { Symbols } from '../graph/dims.ts';
import type { Feeds } from '../graph/program.ts';

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

/** Added to the score of a key that must not be seen: its softmax is exactly 0. Finite, lest a row be all −∞. */
export const maskedScore = -1e9;

/** Most rows whose logits are in memory at once: 256 × 49,152 floats are 50 MB. */
const blockLimit = 256;

/**
 * The token rows of a program, without padding, and the padded slots they take in attention. `feeds` are the program's
 * tokenIds, positions and `Placement`.
 */
class Rows {
  readonly #ids: number[] = [];
  readonly #positions: number[] = [];
  readonly #slots: number[] = [];

  /** Adds tokens that stand in a row; returns the row of the first. */
  put(tokenIds: readonly number[], firstPosition: number, firstSlot: number): number {
    const first = this.count;
    tokenIds.forEach((id, i) => {
      this.#ids.push(id);
      this.#positions.push(firstPosition + i);
      this.#slots.push(firstSlot + i);
    });
    return first;
  }

  get count(): number {
    return this.#ids.length;
  }

  feeds(slots: number): Feeds {
    return {
      tokenIds: BigInt64Array.from(this.#ids, BigInt),
      positions: BigInt64Array.from(this.#positions, BigInt),
      ...placement(this.#slots, slots),
    };
  }
}

/** The feeds of a `Placement`: row i stands in slot `slots[i]` of `count`. */
function placement(slots: readonly number[], count: number): Feeds {
  const rows = new BigInt64Array(count);
  const taken = new Float32Array(count);
  slots.forEach((slot, row) => {
    rows[slot] = BigInt(row);
    taken[slot] = 1;
  });
  return { slots: BigInt64Array.from(slots, BigInt), rows, taken };
}

/** Which token rows are scored, and the token each must predict. */
class Scored {
  private readonly rows: number[] = [];
  private readonly targets: number[] = [];

  /** Scores `tokenIds`, the i-th predicted by row `predictor(i)`; returns where they are in per-token arrays. */
  put(tokenIds: readonly number[], predictor: (i: number) => number): RowRange {
    const start = this.rows.length;
    tokenIds.forEach((id, i) => {
      this.rows.push(predictor(i));
      this.targets.push(id);
    });
    return { start, end: this.rows.length };
  }

  /** B blocks of K rows; at least one row, because a graph cannot be empty. */
  get symbols(): { B: number; K: number } {
    const rows = Math.max(1, this.rows.length);
    const B = Math.ceil(rows / blockLimit);
    return { B, K: Math.ceil(rows / B) };
  }

  get count(): number {
    const { B, K } = this.symbols;
    return B * K;
  }

  get feeds(): Feeds {
    const [scoredRows, targets] = [this.rows, this.targets].map((list) => {
      const array = new BigInt64Array(this.count);
      list.forEach((value, i) => (array[i] = BigInt(value)));
      return array;
    }) as [BigInt64Array, BigInt64Array];
    return { scoredRows, targets };
  }
}

const longest = (lists: readonly (readonly unknown[])[]): number =>
  lists.reduce((length, list) => Math.max(length, list.length), 1);

/** A mask of `width` slots that hides all but the first `count`. */
const hidden = (count: number, width: number): Float32Array =>
  new Float32Array(width).fill(maskedScore, count);

function promptMaskOf(prompts: readonly (readonly number[])[], width: number): Float32Array {
  const mask = new Float32Array(prompts.length * width);
  prompts.forEach((ids, n) => mask.set(hidden(ids.length, width), n * width));
  return mask;
}

function demandPrompts(prompts: readonly (readonly number[])[]): void {
  if (prompts.length === 0) throw new TypeError('there must be at least one prompt');
  const empty = prompts.findIndex((ids) => ids.length === 0);
  if (empty >= 0) throw new TypeError(`prompt ${empty} is empty: a completion needs a token before it`);
}

/** For `prefillProgram`; add a `Past`, `temperature` [N] and, for tokens, `uniforms` [N, G]. */
export interface PromptLayout extends Layout {
  /** Tokens that all prompts begin with, of which the first `past` were read before and the rest are computed once. */
  prefix: number;
  past: number;
  /** Tokens of each prompt. */
  lengths: readonly number[];
}

/** Prompts whose first `prefix` ≥ `past` tokens are the same; each must have more than these. */
export function layoutPrompts(prompts: readonly (readonly number[])[], prefix = 0, past = 0): PromptLayout {
  demandPrompts(prompts);
  const short = prompts.findIndex((ids) => ids.length <= prefix);
  if (short >= 0) throw new TypeError(`prompt ${short} has no token after its prefix of ${prefix}`);
  const suffixes = prompts.map((ids) => ids.slice(prefix));
  const common = prompts[0]!.slice(past, prefix);
  // A graph cannot be empty: without a past, or a common prefix, its one slot stays free.
  const [P, F] = [Math.max(1, past), Math.max(1, common.length)];
  const [N, C] = [prompts.length, longest(suffixes)];
  const rows = new Rows();
  rows.put(common, past, 0);
  const lastRows = BigInt64Array.from(suffixes, (ids, n) =>
    BigInt(rows.put(ids, prefix, F + n * C) + ids.length - 1),
  );
  return {
    symbols: { T: rows.count, N, P, F, C },
    feeds: {
      ...rows.feeds(F + N * C),
      lastRows,
      prefixMask: Float32Array.of(...hidden(past, P), ...hidden(common.length, F)),
    },
    prefix,
    past,
    lengths: prompts.map((ids) => ids.length),
  };
}

export interface Group {
  promptIds: readonly number[];
  completions: readonly (readonly number[])[];
}

/**
 * For `logProbProgram` and `trainingProgram`: attention's slots are padded to common N, P, G, C; every completion
 * token is scored.
 */
export interface GroupLayout extends Layout {
  /** R = B·K: the length of every per-token array. Rows in no range are padding: give them weight 0. */
  rows: number;
  /** Where the tokens of a completion are in the per-token arrays (one row a token, in order). */
  rowsOf(group: number, completion: number): RowRange;
}

export function layoutGroups(groups: readonly Group[]): GroupLayout {
  const scored = new Scored();
  const { symbols, feeds, rows } = layRows(groups);
  const ranges = groups.map(({ promptIds, completions }, n) =>
    completions.map((ids, g) => {
      const { prompt, completions: firsts } = rows[n]!;
      // The first token of a completion is predicted by the last of the prompt.
      return scored.put(ids, (i) => (i === 0 ? prompt + promptIds.length - 1 : firsts[g]! + i - 1));
    }),
  );
  return {
    symbols: { ...symbols, ...scored.symbols },
    feeds: { ...feeds, ...scored.feeds },
    rows: scored.count,
    rowsOf: (group, completion) => {
      const range = ranges[group]?.[completion];
      if (!range) throw new RangeError(`there is no completion ${completion} in group ${group}`);
      return range;
    },
  };
}

/**
 * For `embeddingProgram`, laid out in the same way: E completions, in order of group and completion, each with equal
 * weights for its tokens.
 */
export function layoutMeans(groups: readonly Group[]): Layout {
  const { symbols, feeds, rows } = layRows(groups);
  const tokens = groups.flatMap(({ completions }, n) =>
    completions.map((ids, g) => ({ first: rows[n]!.completions[g]!, count: ids.length })),
  );
  const weights = new Float32Array(tokens.length * symbols.T);
  tokens.forEach(({ first, count }, e) => {
    const start = e * symbols.T + first;
    weights.fill(1 / count, start, start + count);
  });
  return { symbols: { ...symbols, E: tokens.length }, feeds: { ...feeds, weights } };
}

/** The token rows of groups: each prompt, then its completions; `rows` are the first ones of each. */
function layRows(groups: readonly Group[]) {
  const prompts = groups.map(({ promptIds }) => promptIds);
  demandPrompts(prompts);
  const [N, P] = [groups.length, longest(prompts)];
  const G = longest(groups.map(({ completions }) => completions));
  const C = longest(groups.flatMap(({ completions }) => completions));
  const tokens = new Rows();
  const rows = groups.map(({ promptIds, completions }, n) => ({
    prompt: tokens.put(promptIds, 0, n * P),
    completions: completions.map((ids, g) => tokens.put(ids, promptIds.length, N * P + (n * G + g) * C)),
  }));
  return {
    symbols: { T: tokens.count, N, P, G, C },
    feeds: { ...tokens.feeds(N * P + N * G * C), promptMask: promptMaskOf(prompts, P) },
    rows,
  };
}

/** For `textLogProbProgram`; add a `Past`: every token but the first of each sequence is scored. */
export interface TextLayout extends Layout {
  /** length − past − 1 rows: row `start + i` scores token past + i + 1. */
  rowsOf(sequence: number): RowRange;
}

/**
 * Sequences whose first `past` tokens are the same and were read before. The last token of each is predicted but not
 * read.
 */
export function layoutTexts(sequences: readonly (readonly number[])[], past = 0): TextLayout {
  const read = sequences.map((ids) => ids.slice(past, -1));
  if (!read.some(({ length }) => length > 0))
    throw new TypeError('there must be at least one token to score');
  const [N, P, S] = [sequences.length, Math.max(1, past), longest(read)];
  const tokens = new Rows();
  const scored = new Scored();
  const ranges = sequences.map((ids, n) => {
    const first = tokens.put(read[n]!, past, n * S);
    return scored.put(ids.slice(past + 1), (i) => first + i);
  });
  return {
    symbols: { T: tokens.count, N, P, S, ...scored.symbols },
    feeds: { ...tokens.feeds(N * S), ...scored.feeds, pastMask: hidden(past, P) },
    rowsOf: (sequence) => {
      const range = ranges[sequence];
      if (!range) throw new RangeError(`there is no sequence ${sequence}`);
      return range;
    },
  };
}
