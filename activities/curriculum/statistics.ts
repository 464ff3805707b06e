import type { Curriculum } from './types.ts';

/** The task buffer in four numbers; zeros when it is empty. Depth is k of the next answer. */
export function bufferStatistics({ buffer }: Curriculum): {
  size: number;
  meanDepth: number;
  maxDepth: number;
  meanScore: number;
} {
  const depths = buffer.map(({ instance }) => instance.depth);
  const sum = (numbers: number[]) => numbers.reduce((total, value) => total + value, 0);
  const size = buffer.length;
  return {
    size,
    meanDepth: sum(depths) / Math.max(size, 1),
    maxDepth: Math.max(0, ...depths),
    meanScore: sum(buffer.map(({ score }) => score)) / Math.max(size, 1),
  };
}

/** A number as it is ranked: those that differ by rounding alone are equals. */
export function ranked(value: number): number {
  return Math.round(value * 2 ** 40);
}

/** The arithmetic mean, added up from the first; 0 for no numbers, so that nothing empty becomes a NaN. */
export function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, value) => sum + value, 0) / Math.max(numbers.length, 1);
}

/** The same; null for no numbers, where 0 would be taken for a measurement. */
export function meanOrNull(numbers: readonly number[]): number | null {
  return numbers.length === 0 ? null : mean(numbers);
}

/** A distribution in five numbers. */
export interface Quantiles {
  least: number;
  lowerQuartile: number;
  median: number;
  upperQuartile: number;
  most: number;
}

/** Straight lines between the sorted numbers (the definition R calls type 7); null for no numbers. */
export function quantiles(numbers: readonly number[]): Quantiles | null {
  if (numbers.length === 0) return null;
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (share: number) => {
    const place = share * (sorted.length - 1);
    const low = sorted[Math.floor(place)]!;
    return low + (place % 1) * (sorted[Math.ceil(place)]! - low);
  };
  return {
    least: at(0),
    lowerQuartile: at(0.25),
    median: at(0.5),
    upperQuartile: at(0.75),
    most: at(1),
  };
}
