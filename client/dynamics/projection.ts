import { UMAP } from 'umap-js';
import type { PointRow } from '../../activities/artifacts/records.ts';
import { stream } from '../../activities/random.ts';

/** An answer and where it lies, before it has a place in the plane. */
export interface EmbeddedAnswer extends Omit<PointRow, 'x' | 'y'> {
  embedding: readonly number[];
}

/** UMAP's own default: how much of the neighbourhood an answer sees. */
const neighbours = 15;

/** Fewer show nothing. */
const fewest = 8;

/**
 * Puts answers into the plane so that near ones stay near (UMAP, as in ExIt §5.3). Directions count, not lengths, as in
 * the cosine distance. Seeded: the same answers on the same Node give the same picture; its axes mean nothing.
 *
 * @returns one point an answer, in order; none when there are too few to show anything.
 */
export function project(answers: readonly EmbeddedAnswer[], seed: number): PointRow[] {
  if (answers.length < fewest) return [];
  const umap = new UMAP({
    nNeighbors: Math.min(neighbours, answers.length - 1),
    random: stream([seed, 'umap']),
  });
  const places = umap.fit(answers.map(({ embedding }) => direction(embedding)));
  return answers.map(({ embedding: _, ...answer }, i) => ({
    ...answer,
    x: places[i]![0]!,
    y: places[i]![1]!,
  }));
}

function direction(vector: readonly number[]): number[] {
  const size = Math.sqrt(vector.reduce((sum, value) => sum + value ** 2, 0));
  return size > 0 ? vector.map((value) => value / size) : [...vector];
}
