import { overProblems, type Estimate } from './bootstrap.ts';
import { mean } from './statistics.ts';

/** How answers change over K self-iteration steps (ExIt §5.3). */
export interface SelfImprovement {
  /** avg@n at k = 0…K: mean quality over problems and their samples. */
  accuracyK: Estimate[];
  /** pass@n at k = 0…K: mean over problems of the best quality among their n samples. */
  passK: number[];
  /** Answers better, and worse, at depth k than at depth 0; for qualities of 0 and 1: wrong → right, right → wrong. */
  correctedK: number[];
  brokenK: number[];
  /** Δ_K = (corrected − broken) / answers, between k = 0 and k = K. */
  delta: Estimate;
}

/**
 * Statistics of K-step self-improvement. The intervals are percentile bootstraps over *problems* (decision 27):
 * samples of one problem are not independent of each other. Pure: the seed decides the resampling.
 *
 * @param qualitiesKPS quality by depth, problem and sample; the same problems and samples at every depth.
 * @param breathe see `overProblems`.
 */
export async function selfImprovement(
  qualitiesKPS: readonly (readonly (readonly number[])[])[],
  seed: number,
  breathe: () => Promise<void>,
): Promise<SelfImprovement> {
  const firstPS = qualitiesKPS[0] ?? [];
  const lastPS = qualitiesKPS.at(-1) ?? [];
  const count = (betterPS: readonly (readonly number[])[], thanPS: readonly (readonly number[])[]) =>
    betterPS.map(
      (betterS, problem) => betterS.filter((quality, sample) => quality > thanPS[problem]![sample]!).length,
    );
  const total = (numbers: readonly number[]) => numbers.reduce((sum, value) => sum + value, 0);
  const correctedP = count(lastPS, firstPS);
  const brokenP = count(firstPS, lastPS);
  const estimate = overProblems(firstPS.length, seed, breathe);
  const accuracyK: Estimate[] = [];
  for (const qualitiesPS of qualitiesKPS) accuracyK.push(await estimate(qualitiesPS.map(mean)));
  return {
    accuracyK,
    passK: qualitiesKPS.map((qualitiesPS) => mean(qualitiesPS.map((samples) => Math.max(...samples)))),
    correctedK: qualitiesKPS.map((qualitiesPS) => total(count(qualitiesPS, firstPS))),
    brokenK: qualitiesKPS.map((qualitiesPS) => total(count(firstPS, qualitiesPS))),
    delta: await estimate(
      firstPS.map((samples, problem) => (correctedP[problem]! - brokenP[problem]!) / samples.length),
    ),
  };
}
