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

/** The arithmetic mean, added up from the first; 0 for no numbers, so that nothing empty becomes a NaN. */
export function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, value) => sum + value, 0) / Math.max(numbers.length, 1);
}
