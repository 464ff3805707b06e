import type { SamplePrompt } from '../policy.ts';

/** Some rollouts of one prompt: keys [first, first + count) of `prompts[index]`. */
export interface Share {
  index: number;
  first: number;
  count: number;
}

/**
 * Divides rollouts into queues that are played one after the other, each with the same number of rollouts, at most
 * `rowLimit`, for every prompt. In a queue long prompts come first, since prompts of like length are best held side
 * by side. A function of the request alone.
 */
export function planQueues(prompts: readonly SamplePrompt[], rowLimit: number): Share[][] {
  const shares = prompts.flatMap(({ keys }, index) => {
    const parts = Math.ceil(keys.length / rowLimit);
    return Array.from({ length: parts }, (_, part): Share => {
      const first = Math.floor((part * keys.length) / parts);
      return { index, first, count: Math.floor(((part + 1) * keys.length) / parts) - first };
    });
  });
  const lengthOf = (share: Share) => prompts[share.index]!.tokenIds.length;
  shares.sort(
    (a, b) => b.count - a.count || lengthOf(b) - lengthOf(a) || a.index - b.index || a.first - b.first,
  );
  const byCount = new Map<number, Share[]>();
  for (const share of shares) byCount.set(share.count, [...(byCount.get(share.count) ?? []), share]);
  return [...byCount.values()];
}
