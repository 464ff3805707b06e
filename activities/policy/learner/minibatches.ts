import type { TrainGroup } from '../policy.ts';

/**
 * Deals whole groups, in their order, to `count` minibatches, as cards are dealt: group i goes to minibatch i mod
 * count. A minibatch in which no completion is trained is left out, since it has no gradient. A function of the
 * groups alone, so every epoch and every attempt deals alike.
 */
export function dealMinibatches(groups: readonly TrainGroup[], count: number): TrainGroup[][] {
  return Array.from({ length: count }, (_, hand) => groups.filter((_, i) => i % count === hand)).filter(
    (dealt) => dealt.some(({ completions }) => completions.some(({ trained }) => trained)),
  );
}
