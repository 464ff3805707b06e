import { cheapestCut } from '../cheapestCut.ts';
import { passTokens } from '../model/past.ts';

/** Prompts that are read together: the tokens they begin with in common once, then, in one pass, the rest of each. */
export interface Reading {
  /** Tokens read once; fewer than any of the prompts has, because the last token of each gives its own answer. */
  prefix: number;
  /** All other tokens. */
  rest: number;
  /** Which prompts, by index. */
  prompts: number[];
}

/** What one more pass costs besides its tokens, in tokens. */
const passCost = 50;

/**
 * Divides prompts into readings, of which no pass has more than `passTokens` of `limit`. In the order of their tokens,
 * prompts with a common beginning (system prompt, template, tool list) are neighbours; that order is cut where it
 * costs least, weighing shared tokens against passes. A function of the prompts alone.
 */
export function planReadings(prompts: readonly (readonly number[])[], limit: number): Reading[] {
  const order = [...prompts.keys()].sort((a, b) => compare(prompts[a]!, prompts[b]!) || a - b);
  /** What neighbours share; the least of these over a range is what the whole range shares. */
  const shared = order.map((index, at) => (at === 0 ? 0 : common(prompts[order[at - 1]!]!, prompts[index]!)));
  const reading = (from: number, to: number): Reading => {
    const chosen = order.slice(from, to);
    const lengths = chosen.map((index) => prompts[index]!.length);
    const prefix = Math.min(...shared.slice(from + 1, to), ...lengths.map((length) => length - 1));
    const rest = lengths.reduce((sum, length) => sum + length - prefix, 0);
    return { prefix, rest, prompts: chosen };
  };
  const { pieces } = cheapestCut(order.length, (from, to) => {
    const { prefix, rest } = reading(from, to);
    if (rest > passTokens(prefix, limit)) return Infinity;
    return prefix + rest + passCost * (1 + prefixPasses(0, prefix, rest, limit).length);
  });
  return pieces.map(([from, to]) => reading(from, to));
}

/**
 * Where the passes end that read a prefix, of which `past` tokens are known, before the one that reads what is left of
 * it together with the `rest` of the prompts: as few as leave that one with no more than `passTokens`.
 */
export function prefixPasses(past: number, prefix: number, rest: number, limit: number): number[] {
  const ends: number[] = [];
  for (let at = past; at < prefix && prefix - at + rest > passTokens(at, limit);) {
    at = Math.min(prefix, at + passTokens(at, limit));
    ends.push(at);
  }
  return ends;
}

/** How many tokens two texts begin with in common. */
export function common(a: readonly number[], b: readonly number[]): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}

/** Lexicographic. */
function compare(a: readonly number[], b: readonly number[]): number {
  const at = common(a, b);
  return (a[at] ?? -1) - (b[at] ?? -1);
}
