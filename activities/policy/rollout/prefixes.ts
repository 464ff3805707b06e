import { cheapestCut } from '../cheapestCut.ts';

/** Prompts that are read in one pass: the tokens they begin with in common once, then the rest of each. */
export interface Reading {
  /** Tokens read once; fewer than any of the prompts has, because the last token of each gives its own answer. */
  prefix: number;
  /** Which prompts, by index. */
  prompts: number[];
}

/** What one more pass costs besides its tokens, in tokens. */
const passCost = 50;

/**
 * Divides prompts into readings of at most `tokenBudget` tokens, unless a single prompt has more. In the order of
 * their tokens, prompts with a common beginning (system prompt, template, tool list) are neighbours; that order is
 * cut where it costs least, weighing shared tokens against passes. A function of the prompts alone.
 */
export function planReadings(prompts: readonly (readonly number[])[], tokenBudget: number): Reading[] {
  const order = [...prompts.keys()].sort((a, b) => compare(prompts[a]!, prompts[b]!) || a - b);
  /** What neighbours share; the least of these over a range is what the whole range shares. */
  const shared = order.map((index, at) => (at === 0 ? 0 : common(prompts[order[at - 1]!]!, prompts[index]!)));
  const reading = (from: number, to: number) => {
    const chosen = order.slice(from, to);
    const lengths = chosen.map((index) => prompts[index]!.length);
    const prefix = Math.min(...shared.slice(from + 1, to), ...lengths.map((length) => length - 1));
    const tokens = prefix + lengths.reduce((sum, length) => sum + length - prefix, 0);
    return { prefix, chosen, tokens };
  };
  const { pieces } = cheapestCut(order.length, (from, to) => {
    const { tokens } = reading(from, to);
    return tokens > tokenBudget && to - from > 1 ? Infinity : tokens + passCost;
  });
  return pieces.map(([from, to]) => {
    const { prefix, chosen } = reading(from, to);
    return { prefix, prompts: chosen };
  });
}

/** How many tokens two prompts begin with in common. */
function common(a: readonly number[], b: readonly number[]): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}

/** Lexicographic. */
function compare(a: readonly number[], b: readonly number[]): number {
  const at = common(a, b);
  return (a[at] ?? -1) - (b[at] ?? -1);
}
