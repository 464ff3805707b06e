import { stream } from '../random.ts';
import { mean } from './statistics.ts';

/** A number with its 95 % confidence interval. */
export interface Estimate {
  value: number;
  low: number;
  high: number;
}

const resamples = 1000;

/**
 * Returns `estimate`: the mean of a value over so many problems, and the 2.5 % and 97.5 % quantiles of its mean over
 * problems drawn with replacement, the same draws for every value.
 *
 * Many values take seconds, which nobody should have to wait for on one thread: `breathe` is awaited before each.
 */
export function overProblems(
  problems: number,
  seed: number,
  breathe: () => Promise<void>,
): (valuesP: readonly number[]) => Promise<Estimate> {
  const random = stream([seed, 'bootstrap']);
  const resampled = Array.from({ length: resamples }, () =>
    Array.from({ length: problems }, () => Math.floor(random() * problems)),
  );
  return async (valuesP) => {
    await breathe();
    return {
      value: mean(valuesP),
      ...interval(resampled.map((drawn) => mean(drawn.map((problem) => valuesP[problem]!)))),
    };
  };
}

/** The 2.5 % and 97.5 % quantiles. */
export function interval(resampledMeans: readonly number[]): { low: number; high: number } {
  const sorted = [...resampledMeans].sort((a, b) => a - b);
  const quantile = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
  return { low: quantile(0.025), high: quantile(0.975) };
}
