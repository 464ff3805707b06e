import { mean } from './statistics.ts';

/** An answer as its grader read it. */
export interface Read {
  quality: number;
  answer: string | null;
}

/** Whether self-iteration still moves at depth k, and how far its steps so far could have led. */
export interface Movement {
  /** Share of the answers that say what the one a step before said; null at k = 0. */
  unchanged: number | null;
  /** Mean over the chains of the best quality among the iterates 0…k: what could be had by always keeping it. */
  reached: number;
}

/**
 * Why K steps gain nothing, when they do (beside ExIt §5.3): a policy that only repeats itself has `unchanged` near 1, and
 * `reached` near the accuracy of its first answers.
 *
 * @param answersK the answers of the same chains, in the same order, at k = 0…K.
 */
export function movement(answersK: readonly (readonly Read[])[]): Movement[] {
  let best = (answersK[0] ?? []).map(() => 0);
  return answersK.map((answers, k) => {
    const before = answersK[k - 1];
    best = answers.map(({ quality }, chain) => Math.max(quality, best[chain]!));
    return {
      unchanged: before
        ? mean(answers.map(({ answer }, chain) => Number(answer === before[chain]!.answer)))
        : null,
      reached: mean(best),
    };
  });
}
