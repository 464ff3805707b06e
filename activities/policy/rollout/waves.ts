import type { SamplePrompt } from '../policy.ts';

/** Some rollouts of one prompt: keys [first, first + count) of `prompts[index]`. */
export interface Share {
  index: number;
  first: number;
  count: number;
}

/**
 * Divides rollouts into waves that are sampled one after the other, each with at most `rowLimit` rollouts and the
 * same number of rollouts for every prompt. Prompts of like length come together, since a wave's prompts are
 * padded to the longest; waves of one kind are as even as can be. A function of the request alone.
 */
export function planWaves(prompts: readonly SamplePrompt[], rowLimit: number): Share[][] {
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
  return [...byCount].flatMap(([count, alike]) => {
    const waves = Math.ceil(alike.length / Math.floor(rowLimit / count));
    return Array.from({ length: waves }, (_, wave) =>
      alike.slice(Math.floor((wave * alike.length) / waves), Math.floor(((wave + 1) * alike.length) / waves)),
    );
  });
}
