import { cheapestCut } from '../cheapestCut.ts';
import type { TrainGroup } from '../policy.ts';

/** Some completions of one group, by index; the prompt is read once for all of them. */
export interface Slice {
  group: number;
  completions: number[];
}

/** What one forward and backward pass computes: slices side by side. */
export type MicroBatch = Slice[];

/** What packing looks at of a group. */
export interface Packable extends Pick<TrainGroup, 'promptIds'> {
  completions: readonly Pick<TrainGroup['completions'][number], 'tokenIds' | 'trained'>[];
}

/** What one more pass costs besides its tokens, in tokens. */
const passCost = 50;

/** What an empty slot of attention costs, in tokens: all but attention is computed for real tokens only. */
const emptySlotCost = 0.25;

/**
 * Divides the trained completions into micro-batches of at most `tokenBudget` tokens. In attention a pass has slots for N
 * prompts padded to P tokens, each with G completions padded to C; a slot left empty counts `emptySlotCost`. A single
 * completion that is longer than the budget by itself gets its own pass.
 *
 * Completions of a group are ranked by length, and the ranks are cut into layers that all groups share: the longest
 * ones of every group, then the next … Each layer's groups, longest first, are cut into passes. Both cuts are the
 * cheapest there are, weighing empty slots against reading prompts again. A function of the groups alone, in a fixed
 * order.
 */
export function packMicroBatches(groups: readonly Packable[], tokenBudget: number): MicroBatch[] {
  const rankedByGroup = groups.map(({ completions }) =>
    completions
      .map(({ tokenIds, trained }, index) => ({ index, length: tokenIds.length, trained }))
      .filter(({ trained }) => trained)
      .sort((a, b) => b.length - a.length),
  );

  /** Ranks [first, end) of every group, as passes. */
  const layer = (first: number, end: number) => {
    const slices = rankedByGroup.flatMap((ranked, group) => {
      const chosen = ranked.slice(first, end);
      if (!chosen[0]) return [];
      const P = groups[group]!.promptIds.length;
      const tokens = chosen.reduce((sum, { length }) => sum + length, P);
      return [{ group, chosen, tokens, P, G: chosen.length, C: chosen[0].length }];
    });
    slices.sort((a, b) => b.C - a.C || b.P - a.P);
    const { cost, pieces } = cheapestCut(slices.length, (from, to) => {
      let [tokens, P, G, C] = [0, 0, 0, 0];
      for (const slice of slices.slice(from, to)) {
        tokens += slice.tokens;
        [P, G, C] = [Math.max(P, slice.P), Math.max(G, slice.G), Math.max(C, slice.C)];
      }
      const empty = (to - from) * (P + G * C) - tokens;
      const load = tokens + emptySlotCost * empty;
      const divisible = to - from > 1 || G > 1;
      return load > tokenBudget && divisible ? Infinity : load + passCost;
    });
    const passes = pieces.map(([from, to]): MicroBatch =>
      slices
        .slice(from, to)
        .map(({ group, chosen }) => ({ group, completions: chosen.map(({ index }) => index) })),
    );
    return { cost, passes };
  };

  const ranks = rankedByGroup.reduce((most, ranked) => Math.max(most, ranked.length), 0);
  const { pieces } = cheapestCut(ranks, (first, end) => layer(first, end).cost);
  return pieces.flatMap(([first, end]) => layer(first, end).passes);
}
