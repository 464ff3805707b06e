import { SummariseResult, type SummariseInput } from '../workflows/contract/steps.ts';
import { readAnswers, type Answer } from './answers.ts';
import { legibleBytes } from './artifacts/canonical.ts';
import type { EvaluationSummary } from './artifacts/evaluation.ts';
import { keys } from './artifacts/keys.ts';
import { once } from './artifacts/once.ts';
import { encodeEvaluation } from './artifacts/parquet.ts';
import type { EvaluationRow, Plan } from './artifacts/records.ts';
import { selfImprovement } from './curriculum/selfImprovement.ts';
import type { Dependencies } from './dependencies.ts';
import { loadState, readJson } from './state.ts';

/** Accuracy at k = 0…K with intervals, what was corrected and broken, and every answer as one table a depth. */
export function summarise(dependencies: Dependencies) {
  return async (input: SummariseInput): Promise<SummariseResult> => {
    const { store } = dependencies;
    const { runKey, head, depths } = input;
    const { generation } = head;
    const place = { kind: 'evaluation', generation, depth: depths.length - 1 } as const;
    const inputs = depths.map(({ rollouts, graded }) => [...rollouts, ...graded].map(({ sha256 }) => sha256));
    return once(store, keys.step(runKey, place, 'summarise'), inputs, SummariseResult, async () => {
      const { manifest, config } = await loadState(store, input);
      const { samplesPerTask } = config.evaluation;
      const answersK: Answer[][] = [];
      for (const { plan, rollouts, graded } of depths)
        answersK.push(
          (await readAnswers(store, (await readJson(store, plan)) as Plan, rollouts, graded)).flat(),
        );
      await Promise.all(
        answersK.map((answers, depth) =>
          store.put(
            keys.evaluationRows(runKey, generation, depth),
            encodeEvaluation(answers.map((answer, index) => rowOf(answer, index % samplesPerTask))),
            'application/vnd.apache.parquet',
          ),
        ),
      );
      // Answers are in problem order at every depth, a problem's samples side by side.
      const qualitiesKPS = answersK.map((answers) => {
        const problems = answers.length / samplesPerTask;
        return Array.from({ length: problems }, (_, problem) =>
          answers
            .slice(problem * samplesPerTask, (problem + 1) * samplesPerTask)
            .map(({ quality }) => quality ?? 0),
        );
      });
      const { accuracyK, passK, correctedK, brokenK, delta } = selfImprovement(qualitiesKPS, config.seed);
      const summary: EvaluationSummary = {
        schema: 2,
        generation,
        policy: manifest.content.policy,
        tasks: qualitiesKPS[0]?.length ?? 0,
        samplesPerTask,
        depths: accuracyK.map(({ value, low, high }, k) => ({
          k,
          accuracy: value,
          low,
          high,
          pass: passK[k] ?? 0,
          corrected: correctedK[k] ?? 0,
          broken: brokenK[k] ?? 0,
          tokens: (answersK[k] ?? []).reduce((sum, { completionIds }) => sum + completionIds.length, 0),
        })),
        delta,
      };
      const ref = await store.put(
        keys.evaluationSummary(runKey, generation),
        legibleBytes(summary),
        'application/json',
      );
      return { summary: ref, accuracy: accuracyK.map(({ value }) => value) };
    });
  };
}

function rowOf(answer: Answer, sample: number): EvaluationRow {
  const { baseTaskId, family, gold, depth, prompt, promptIds, completion, completionIds } = answer;
  const {
    logProbs,
    policyLogProbs,
    finishReason,
    seed,
    policy,
    quality,
    verdict,
    answer: read,
    graderVersion,
    error,
  } = answer;
  return {
    ...{ taskId: baseTaskId, family, gold, depth, sample, prompt, promptIds, completion, completionIds },
    ...{ logProbs, policyLogProbs, finishReason, seed, policy },
    ...{ quality, verdict, answer: read, graderVersion, error },
  };
}
