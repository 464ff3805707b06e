import { stream } from '../random.ts';
import { mean } from './statistics.ts';

/** A number with its 95 % confidence interval. */
export interface Estimate {
  value: number;
  low: number;
  high: number;
}

const resamples = 1000;

/** The problems of each resample, drawn with replacement. */
export function resampledProblems(problems: number, seed: number): number[][] {
  const random = stream([seed, 'bootstrap']);
  return Array.from({ length: resamples }, () =>
    Array.from({ length: problems }, () => Math.floor(random() * problems)),
  );
}

/** The mean over problems, and the 2.5 % and 97.5 % quantiles of the resampled means. */
export function estimate(valuesP: readonly number[], resampled: readonly (readonly number[])[]): Estimate {
  return {
    value: mean(valuesP),
    ...interval(resampled.map((problems) => mean(problems.map((problem) => valuesP[problem]!)))),
  };
}

/** The 2.5 % and 97.5 % quantiles. */
export function interval(resampledMeans: readonly number[]): { low: number; high: number } {
  const sorted = [...resampledMeans].sort((a, b) => a - b);
  const quantile = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
  return { low: quantile(0.025), high: quantile(0.975) };
}
