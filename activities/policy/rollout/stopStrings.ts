import type { Tokenizer } from '../policy.ts';

/** Told one completion's tokens one after the other; says whether the text has now reached a stop string. */
export type StopWatch = (tokenId: number) => boolean;

/**
 * Makes a `StopWatch` for each completion. Only the newest tokens are decoded again: a stop string of n bytes that
 * was not there before lies in the last n tokens that show any text.
 */
export function stopWatches(
  tokenizer: Pick<Tokenizer, 'decode'>,
  stopStrings: readonly string[],
): () => StopWatch {
  if (stopStrings.length === 0) return () => () => false;
  // Two tokens more, because some tokenisers drop the space before the first token they decode.
  const window = Math.max(...stopStrings.map((text) => Buffer.byteLength(text))) + 2;
  const visible = new Map<number, boolean>();
  const shows = (tokenId: number): boolean => {
    let known = visible.get(tokenId);
    if (known === undefined) visible.set(tokenId, (known = tokenizer.decode([tokenId]) !== ''));
    return known;
  };
  return () => {
    let tail: number[] = [];
    return (tokenId) => {
      if (!shows(tokenId)) return false;
      tail = [...tail, tokenId].slice(-window);
      const text = tokenizer.decode(tail);
      return stopStrings.some((stop) => text.includes(stop));
    };
  };
}
