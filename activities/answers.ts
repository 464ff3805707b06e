import { TypedFailure } from '../workflows/contract/failures.ts';
import type { Ref } from '../workflows/contract/ref.ts';
import type { Played } from '../workflows/contract/steps.ts';
import { decodeGraded, decodeRollouts } from './artifacts/parquet.ts';
import type { GradedRow, Plan, RolloutRow } from './artifacts/records.ts';
import type { Store } from './artifacts/store.ts';
import { episodesOf } from './episode.ts';
import { readJson } from './state.ts';

/** A rollout with what the grader said of it. */
export interface Answer extends RolloutRow, Omit<GradedRow, 'rolloutId'> {
  /** Its answers in the turns played after it; none in single-turn domains. */
  later: RolloutRow[];
}

/** The answers to a plan's prompts, one list a prompt, shards merged in ordinal order (invariant 3). */
export async function readAnswers(
  store: Store,
  plan: Plan,
  rollouts: Ref[],
  graded: Ref[],
): Promise<Answer[][]> {
  const answers: Answer[][] = plan.prompts.map(() => []);
  for (const [shard, ref] of rollouts.entries()) {
    const gradedRef = graded[shard];
    if (!gradedRef) throw new TypedFailure('ArtifactMissing', `${ref.key} was never graded`);
    const rows = await decodeRollouts(await store.read(ref), ref.key);
    const grades = new Map(
      (await decodeGraded(await store.read(gradedRef), gradedRef.key)).map((grade) => [
        grade.rolloutId,
        grade,
      ]),
    );
    for (const [row, ...later] of episodesOf(rows)) {
      const grade = grades.get(row.rolloutId);
      const group = answers[row.ordinal];
      if (!grade || !group)
        throw new TypedFailure(
          'ArtifactCorrupt',
          `${ref.key} and ${gradedRef.key} disagree about rollout ${row.rolloutId}`,
        );
      group.push({ ...row, ...grade, later });
    }
  }
  return answers;
}

/** The answers of each depth of an evaluation, in problem order, a problem's samples side by side. */
export async function readDepths(store: Store, depths: readonly Played[]): Promise<Answer[][]> {
  const answersK: Answer[][] = [];
  for (const { plan, rollouts, graded } of depths)
    answersK.push((await readAnswers(store, (await readJson(store, plan)) as Plan, rollouts, graded)).flat());
  return answersK;
}
