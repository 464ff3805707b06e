import type { RewardConfig } from '../../workflows/contract/config.ts';
import type { StepKind } from './types.ts';

/** ExIt §3: the verified quality itself (math, tool use), or the normalised improvement (ML engineering). */
export type RewardMode = 'verification' | 'improvement';

export interface RewardRule {
  mode: RewardMode;
  /**
   * δ: an improvement is never divided by less than this. The paper divides by 1 − r_{k−1} alone, δ = 0, which at
   * r_{k−1} = 0.95 multiplies noise by 20 and makes jitter look learnable (decision 3).
   */
  minHeadroom: number;
}

/** The mode a configuration asks for: one by name, or the domain's (decision 2). */
export const rewardModeOf = ({ mode }: RewardConfig, ofDomain: RewardMode): RewardMode =>
  mode === 'domain' ? ofDomain : mode;

/** Under this much headroom nothing is left to improve, and the paper's quotient is undefined (decision 1). */
const exhausted = 1e-6;

/**
 * Reward of one rollout, in [0, 1].
 *
 *     verification        r_k                                            every step kind
 *     improvement, base   r_k                                            also diverge (decision 2)
 *     improvement         max(0, (r_k − r_{k−1}) / max(1 − r_{k−1}, δ))  improve
 *
 * In verification mode keeping a right answer right is rewarded, and breaking it is not.
 *
 * @param quality r_k, of the new history.
 * @param previousQuality r_{k−1}, of the history the step started from; null when it had no answer.
 */
export function rewardOf(
  { mode, minHeadroom }: RewardRule,
  step: StepKind,
  quality: number,
  previousQuality: number | null,
): number {
  if (mode === 'verification' || step !== 'improve' || previousQuality === null) return quality;
  if (isExhausted(mode, previousQuality)) return 0;
  return Math.max(0, (quality - previousQuality) / Math.max(1 - previousQuality, minHeadroom));
}

/** True for a history that an improvement reward can no longer tell apart from any other; it is not kept in B. */
export function isExhausted(mode: RewardMode, quality: number | null): boolean {
  return mode === 'improvement' && quality !== null && 1 - quality < exhausted;
}
