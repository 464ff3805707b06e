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
 * Equal rewards give exactly 0, whatever their value: differences are taken before sums.
 */
export function learnability(rewardsG: readonly number[]): number {
  const [first = 0] = rewardsG;
  const shiftedG = rewardsG.map((reward) => reward - first);
  const mean = shiftedG.reduce((sum, shifted) => sum + shifted, 0) / shiftedG.length;
  return shiftedG.reduce((sum, shifted) => sum + (shifted - mean) ** 2, 0) / shiftedG.length;
}
