import { overProblems, type Estimate } from './bootstrap.ts';
import { mean } from './statistics.ts';

/** One answer to a problem, as a budget sees it. */
export interface Costed {
  quality: number;
  /** Completion tokens. */
  tokens: number;
  /** What the grader read as the answer; null when there was none. */
  answer: string | null;
}

/** One answer of a chain that the policy improves. */
export interface Iterate extends Costed {
  /** Completion tokens that were needed to come here, this answer's among them. */
  spent: number;
}

/** At one k; see `BudgetMatched` in artifacts/evaluation.ts. */
export interface BudgetMatched {
  k: number;
  answers: number;
  resampling: Estimate;
  majority: Estimate;
  bestOf: Estimate;
  majorityOfIterates: Estimate;
  bestOfIterates: Estimate;
}

/**
 * What the tokens of K-step self-improvement buy otherwise, from [its first answer, fresh answer, fresh answer, …] of
 * each chain, all drawn alike and independently.
 *
 * A majority vote and a choice of the best are over the first n of them that together have no more completion tokens
 * than the iterates 0…k. The first answer is in both, so k = 0 is the same on both sides. The answer that does not fit any
 * more is left out, and a long one fits less often: where right answers are the shorter ones, both come out a little high.
 *
 * Resampling gives one of them at a time, without a choice. Which one is the last that fits is a question of lengths, and
 * would favour short answers; so it is the mean over all of them, whatever they cost, and the same at every k.
 *
 * @param chainsPSK iterates by problem, sample and depth.
 * @param freshPSN independent answers by problem and sample, K for each chain.
 * @param breathe see `overProblems`.
 */
export async function budgetMatched(
  chainsPSK: readonly (readonly (readonly Iterate[])[])[],
  freshPSN: readonly (readonly (readonly Costed[])[])[],
  seed: number,
  breathe: () => Promise<void>,
): Promise<BudgetMatched[]> {
  const estimate = overProblems(chainsPSK.length, seed, breathe);
  const depths = chainsPSK[0]?.[0]?.length ?? 0;
  const matched: BudgetMatched[] = [];
  for (let k = 0; k < depths; k++) {
    const pairsPS = chainsPSK.map((chainsSK, problem) =>
      chainsSK.map((chain, sample) => {
        const iterates = chain.slice(0, k + 1);
        const independent = [chain[0]!, ...freshPSN[problem]![sample]!];
        return { iterates, independent, bought: affordable(independent, chain[k]!.spent) };
      }),
    );
    const over = (value: (pair: (typeof pairsPS)[number][number]) => number) =>
      estimate(pairsPS.map((pairs) => mean(pairs.map(value))));
    matched.push({
      k,
      answers: mean(pairsPS.flat().map(({ bought }) => bought.length)),
      resampling: await over(({ independent }) => mean(independent.map(({ quality }) => quality))),
      majority: await over(({ bought }) => majority(bought)),
      bestOf: await over(({ bought }) => best(bought)),
      majorityOfIterates: await over(({ iterates }) => majority(iterates)),
      bestOfIterates: await over(({ iterates }) => best(iterates)),
    });
  }
  return matched;
}

/** The first of the answers that together have at most so many tokens; one at least. */
function affordable(answers: readonly Costed[], budget: number): readonly Costed[] {
  let spent = 0;
  const tooMany = answers.findIndex(({ tokens }) => (spent += tokens) > budget);
  return tooMany < 0 ? answers : answers.slice(0, Math.max(1, tooMany));
}

/** Quality of the answer most often given; of equally frequent ones, the earliest. What is no answer has no vote. */
export function majority(answers: readonly Costed[]): number {
  const votes = new Map<string, number>();
  for (const { answer } of answers)
    if (answer !== null) votes.set(answer.trim(), (votes.get(answer.trim()) ?? 0) + 1);
  // A map keeps the order of first votes.
  const [winner] = [...votes].reduce((most, one) => (one[1] > most[1] ? one : most), ['', 0]);
  return answers.find(({ answer }) => answer?.trim() === winner)?.quality ?? 0;
}

const best = (answers: readonly Costed[]) => Math.max(...answers.map(({ quality }) => quality));
