import { keyOf, uniform } from '../random.ts';
import { expand } from './insertion.ts';
import type { Draw, Outcome } from './types.ts';

/**
 * iGRPO (Hatamizadeh et al. 2026, arXiv:2602.09000): what a prompt becomes once its drafts are graded.
 *
 *     stage 1   d_1 … d_N ~ π_old(· | q),   d̂ = argmax R(d_i)       none of them trained on
 *     stage 2   o_1 … o_G ~ π_old(· | q, d̂)                         GRPO on these alone
 *
 * As in the paper one policy plays both stages, one grade decides in both (`reward.mode` 'verification'; with
 * 'improvement' the refinements' reward is what they gained over d̂), the advantages are those within the G refinements,
 * and a fair comparison with GRPO gives it N + G rollouts a prompt. What the paper leaves open, and where ours differs:
 * 1. Ties, the common case with grades of 0 and 1, are settled by a draw from each draft's identity.
 * 2. A draft that was cut off is no place to go on from (decision 23), nor is one that could not be graded. A task
 *    without any other is played as it is, plain GRPO: a policy that is always cut off can still learn to end.
 * 3. d̂ is shown by the improve prompt of ExIt (decision 21), not appended to q: what is trained is then the step that
 *    an evaluation at k > 0 takes.
 * 4. Of an episode of several turns one is improved, each as likely, as where ExIt takes up an instance (Algorithm 1).
 *
 * Pure: a function of its arguments, whatever the order of the drafts.
 *
 * @param draw a base task as `select` drew it.
 * @param drafts its answers, graded.
 * @param seed of the run.
 * @returns an improve step from the best draft (depth 1, parent: that rollout), or the draw itself.
 */
export function refinementOf(draw: Draw, drafts: readonly Outcome[], seed: number): Draw {
  const random = (what: string, { rolloutId }: Outcome) => uniform(keyOf([seed, what, rolloutId]), 0);
  const usable = drafts.filter(({ truncated, failure }) => !truncated && failure === null);
  const highest = Math.max(...usable.map(({ quality }) => quality));
  const [best] = usable
    .filter(({ quality }) => quality === highest)
    .map((draft) => ({ draft, key: random('best draft', draft) }))
    .sort((a, b) => a.key - b.key);
  if (!best) return draw;
  const turns = expand(draw, best.draft, true);
  const instance = turns[Math.floor(random('draft turn', best.draft) * turns.length)]!;
  return { ordinal: draw.ordinal, source: draw.source, step: 'improve', instance };
}
