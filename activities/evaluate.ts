import { EvaluateResult, type EvaluateInput } from '../workflows/contract/steps.ts';
import { TypedFailure } from '../workflows/contract/failures.ts';
import { keys } from './artifacts/keys.ts';
import { once } from './artifacts/once.ts';
import { decodeRollouts, encodeGraded } from './artifacts/parquet.ts';
import type { GradedRow, Plan } from './artifacts/records.ts';
import { secondsSince, withHeartbeat } from './boundary.ts';
import { mean } from './curriculum/statistics.ts';
import type { Dependencies } from './dependencies.ts';
import { episodesOf, historyOf } from './episode.ts';
import { loadState, readJson } from './state.ts';

/** Verifies the finished histories of a shard in grader processes that can be killed. A grader's error is a row, not a failure. */
export function evaluate(dependencies: Dependencies) {
  return (input: EvaluateInput): Promise<EvaluateResult> =>
    withHeartbeat((call) => {
      const { store } = dependencies;
      const { runKey, place, shard } = input;
      const key = keys.step(runKey, place, 'evaluate', shard.ordinal);
      return once(store, key, [input.plan.sha256, input.rollouts.sha256], EvaluateResult, async () => {
        const started = performance.now();
        const { config } = await loadState(store, input);
        const plan = (await readJson(store, input.plan)) as Plan;
        const rows = await decodeRollouts(await store.read(input.rollouts), input.rollouts.key);
        const domain = dependencies.openDomain(config.domain);
        const episodes = episodesOf(rows);
        const items = episodes.map((answers) => {
          const [row] = answers;
          const prompt = plan.prompts[row.ordinal];
          if (!prompt)
            throw new TypedFailure(
              'ArtifactCorrupt',
              `${input.rollouts.key} has a rollout of prompt ${row.ordinal}, which ${input.plan.key} lacks`,
            );
          return { taskId: row.baseTaskId, history: historyOf(domain, prompt.instance, answers) };
        });
        const graded = await dependencies.graders.grade(config.domain, items, {
          timeoutMs: config.graderTimeoutMs,
          signal: call.signal,
          onProgress: (done, total) => call.onProgress?.({ phase: 'grading', done, total, tokens: 0 }),
        });
        const grades = episodes.map(([{ rolloutId }], index): GradedRow => {
          const outcome = graded[index];
          const base = { rolloutId, graderVersion: domain.graderVersion };
          return outcome && 'grade' in outcome
            ? { ...base, ...outcome.grade, error: null }
            : {
                ...base,
                quality: null,
                verdict: 'notGraded',
                answer: null,
                error: outcome?.error ?? 'no verdict',
              };
        });
        const ref = await store.put(
          keys.graded(runKey, place, shard.ordinal),
          encodeGraded(grades),
          'application/vnd.apache.parquet',
        );
        const qualities = grades.flatMap(({ quality }) => (quality === null ? [] : [quality]));
        return {
          graded: ref,
          meanQuality: mean(qualities),
          failed: grades.length - qualities.length,
          seconds: secondsSince(started),
        };
      });
    });
}
