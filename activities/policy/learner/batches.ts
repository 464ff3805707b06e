import type { TrainGroup } from '../policy.ts';

/** Some completions of one group, by index; the prompt is read once for all of them. */
export interface Slice {
  group: number;
  completions: number[];
}

/** What one forward and backward pass computes: slices side by side. */
export type MicroBatch = Slice[];

/** A padded shape: N prompts of P tokens, each with G completions of C tokens. */
interface Shape {
  N: number;
  P: number;
  G: number;
  C: number;
}
const tokensOf = ({ N, P, G, C }: Shape) => N * (P + G * C);

/** Slices go together while padding adds no more than this share to their tokens. */
const padding = 0.15;

/**
 * Divides the trained completions into micro-batches of at most `tokenBudget` tokens, padding counted; a single
 * completion that is longer by itself gets its own. Within a group, completions of like length come together when
 * reading the prompt again costs less than the padding. A function of the groups alone, in a fixed order.
 */
export function packMicroBatches(groups: readonly TrainGroup[], tokenBudget: number): MicroBatch[] {
  const slices = groups.flatMap((group, index) => sliceGroup(group, index, tokenBudget));
  const shapeOf = ({ group, completions }: Slice): Shape => ({
    N: 1,
    P: groups[group]!.promptIds.length,
    G: completions.length,
    C: Math.max(...completions.map((completion) => groups[group]!.completions[completion]!.tokenIds.length)),
  });
  const sized = slices.map((slice) => ({ slice, shape: shapeOf(slice) }));
  // `sort` is stable: equal shapes stay in the order of the groups.
  sized.sort((a, b) => b.shape.G - a.shape.G || b.shape.C - a.shape.C || b.shape.P - a.shape.P);

  const batches: MicroBatch[] = [];
  let together: Shape | null = null;
  let needed = 0;
  for (const { slice, shape } of sized) {
    const joined: Shape = together ? join(together, shape) : shape;
    const current = batches.at(-1);
    const tokens = tokensOf(joined);
    if (current && tokens <= tokenBudget && tokens <= (needed + tokensOf(shape)) * (1 + padding)) {
      current.push(slice);
      together = joined;
      needed += tokensOf(shape);
    } else {
      batches.push([slice]);
      together = shape;
      needed = tokensOf(shape);
    }
  }
  return batches;
}

function join(a: Shape, b: Shape): Shape {
  return { N: a.N + b.N, P: Math.max(a.P, b.P), G: Math.max(a.G, b.G), C: Math.max(a.C, b.C) };
}

/**
 * Cuts a group's trained completions, longest first, into slices with the fewest padded tokens: the cheapest way to
 * end at completion j is the best over all starts i of (cheapest for those before i) + P + (j − i) · |o_i|.
 */
function sliceGroup({ promptIds, completions }: TrainGroup, group: number, tokenBudget: number): Slice[] {
  const sorted = completions
    .map(({ tokenIds, trained }, index) => ({ index, length: tokenIds.length, trained }))
    .filter(({ trained }) => trained)
    .sort((a, b) => b.length - a.length);
  const cheapest: { tokens: number; start: number }[] = [{ tokens: 0, start: 0 }];
  for (let end = 1; end <= sorted.length; end++) {
    let best = { tokens: Infinity, start: end - 1 };
    for (let start = end - 1; start >= 0; start--) {
      const tokens = promptIds.length + (end - start) * sorted[start]!.length;
      if (tokens > tokenBudget && end - start > 1) break;
      const total = cheapest[start]!.tokens + tokens;
      if (total < best.tokens) best = { tokens: total, start };
    }
    cheapest.push(best);
  }
  const slices: Slice[] = [];
  for (let end = sorted.length; end > 0; end = cheapest[end]!.start)
    slices.unshift({
      group,
      completions: sorted.slice(cheapest[end]!.start, end).map(({ index }) => index),
    });
  return slices;
}
