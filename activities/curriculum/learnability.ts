/**
 * Learnability S of an instance (ExIt §4.1): how much its group's rewards differ.
 *
 *     S = (1/G) Σ (r_i − mean r)²,  r ∈ [0, 1]  ⇒  S ∈ [0, 0.25]
 *
 * For rewards of 0 and 1 this is p(1 − p). What the paper leaves open, and our choice (decision 8):
 * 1. The variance is that of the *reward* GRPO trains on, not of the quality, so that S = 0 exactly when the
 *    group has no gradient.
 * 2. It is the population variance (÷ G), with nothing rescaled inside a group.
 *
 * It is computed as (1/G²) Σ_{i<j} (r_i − r_j)², of sorted rewards: equal rewards give exactly 0, whatever their value, and
 * the same rewards in another order the same bits, so that equals are equals where entries are ranked.
 */
export function learnability(rewardsG: readonly number[]): number {
  const sortedG = rewardsG.toSorted((a, b) => a - b);
  let sum = 0;
  for (const [i, reward] of sortedG.entries()) for (let j = 0; j < i; j++) sum += (reward - sortedG[j]!) ** 2;
  return sum / sortedG.length ** 2;
}
