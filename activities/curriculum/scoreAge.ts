import { mean } from './statistics.ts';
import type { BufferEntry } from './types.ts';

/** Generations since an entry's S was set: by a visit of its own, or anew by its parent's. */
export const scoreAge = ({ scoreGeneration }: BufferEntry, generation: number): number =>
  Math.max(0, generation - scoreGeneration);

/**
 * S as it counts at a generation (decision 14): what was measured on a policy of long ago gives way to what is known
 * since, the mean S̄ of the entry's kin.
 *
 *     S̃ = S                                      age ≤ A
 *     S̃ = (A / age) S + (1 − A / age) S̄          age > A
 *
 * S̄ is the mean S of the entries of the same base task, its parent among them, that are not older than A; where there is
 * none, that of all such entries; where there is none of these either, nothing newer is known and S stays. So S̃ has no
 * jump at A, lies between S and S̄, and comes the nearer to S̄ the older S is. Only selection and eviction look at it:
 * the S that is stored stays as measured, so that nothing decays twice.
 *
 * Pure, and the same whatever the order of the entries.
 *
 * @param maxScoreAge A, in generations; absent: S counts as it is.
 * @returns S̃ of each entry, in order.
 */
export function countedScores(
  entries: readonly BufferEntry[],
  generation: number,
  maxScoreAge: number | undefined,
): number[] {
  if (maxScoreAge === undefined) return entries.map(({ score }) => score);
  const fresh = entries.filter((entry) => scoreAge(entry, generation) <= maxScoreAge);
  const byTask = new Map<string, number[]>();
  for (const { instance, score } of fresh)
    byTask.set(instance.baseTaskId, [...(byTask.get(instance.baseTaskId) ?? []), score]);
  const meanOfTask = new Map([...byTask].map(([task, scores]) => [task, sortedMean(scores)]));
  const meanOfAll = sortedMean(fresh.map(({ score }) => score));
  return entries.map((entry) => {
    const { instance, score } = entry;
    const kept = maxScoreAge / scoreAge(entry, generation);
    if (kept >= 1 || fresh.length === 0) return score;
    return kept * score + (1 - kept) * (meanOfTask.get(instance.baseTaskId) ?? meanOfAll);
  });
}

/** Added up from the smallest, whatever the order they came in. */
const sortedMean = (scores: readonly number[]): number => mean(scores.toSorted((a, b) => a - b));
