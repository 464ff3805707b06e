import { shaOf } from '../workflows/contract/ref.ts';
import { SummariseResult, type SummariseInput } from '../workflows/contract/evaluationSteps.ts';
import { readDepths, type Answer } from './answers.ts';
import { legibleBytes } from './artifacts/canonical.ts';
import type { EvaluationSummary } from './artifacts/evaluation.ts';
import { keys } from './artifacts/keys.ts';
import { once } from './artifacts/once.ts';
import { encodeEvaluation } from './artifacts/parquet.ts';
import type { EvaluationRow } from './artifacts/records.ts';
import { breathe } from './boundary.ts';
import { budgetMatched, type Costed, type Iterate } from './curriculum/budgetMatched.ts';
import { movement, type Movement } from './curriculum/movement.ts';
import { selfImprovement } from './curriculum/selfImprovement.ts';
import type { Dependencies } from './dependencies.ts';
import { loadState } from './state.ts';

/**
 * Accuracy at k = 0…K with intervals, what was corrected and broken, what the same tokens buy otherwise where that was
 * played, and every answer as one table a depth.
 */
export function summarise(dependencies: Dependencies) {
  return async (input: SummariseInput): Promise<SummariseResult> => {
    const { store } = dependencies;
    const { runKey, head, depths, resampled, name } = input;
    const { generation } = head;
    const place = {
      kind: 'evaluation',
      generation,
      depth: depths.length - 1,
      ...(name !== undefined && { name }),
    } as const;
    const inputs = [...depths, ...(resampled ? [resampled] : [])].map(({ rollouts, graded }) =>
      [...rollouts, ...graded].map(shaOf),
    );
    return once(store, keys.step(runKey, place, 'summarise'), inputs, SummariseResult, async () => {
      const { manifest, config } = await loadState(store, input);
      const { samplesPerTask } = config.evaluation;
      const answersK = await readDepths(store, depths);
      const [fresh] = await readDepths(store, resampled ? [resampled] : []);
      const keep = (key: string, answers: readonly Answer[], samples: number) =>
        store.put(
          key,
          encodeEvaluation(answers.map((answer, index) => rowOf(answer, index % samples))),
          'application/vnd.apache.parquet',
        );
      const [rows] = await Promise.all([
        Promise.all(
          answersK.map((answers, depth) =>
            keep(keys.evaluationRows(runKey, generation, depth, name), answers, samplesPerTask),
          ),
        ),
        ...(fresh
          ? [
              keep(
                keys.resampledRows(runKey, generation, name),
                fresh,
                samplesPerTask * config.evaluation.depth,
              ),
            ]
          : []),
      ]);
      const answersKPS = answersK.map((answers) => chunks(answers, samplesPerTask));
      const { accuracyK, passK, correctedK, brokenK, delta } = await selfImprovement(
        answersKPS.map((answersPS) => answersPS.map((answers) => answers.map(({ quality }) => quality ?? 0))),
        config.seed,
        breathe,
      );
      const moved = movement(answersK.map((answers) => answers.map(costOf)));
      const baselinesFailed = failedAmong(fresh ?? []);
      const summary: EvaluationSummary = {
        schema: 2,
        ...(name !== undefined && { name }),
        generation,
        policy: manifest.content.policy,
        tasks: answersKPS[0]?.length ?? 0,
        samplesPerTask,
        depths: accuracyK.map(({ value, low, high }, k) => {
          const answers = answersK[k] ?? [];
          const failed = failedAmong(answers);
          return {
            k,
            accuracy: value,
            low,
            high,
            pass: passK[k] ?? 0,
            corrected: correctedK[k] ?? 0,
            broken: brokenK[k] ?? 0,
            ...movedAt(moved[k]!),
            tokens: tokensOf(answers.flatMap((answer) => [answer, ...answer.later])),
            ...(failed > 0 && { failed }),
          };
        }),
        delta,
        ...(baselinesFailed > 0 && { baselinesFailed }),
        ...(fresh && {
          baselines: await budgetMatched(
            chainsOf(answersKPS),
            chunks(chunks(fresh.map(costOf), config.evaluation.depth), samplesPerTask),
            config.seed,
            breathe,
          ),
        }),
      };
      const ref = await store.put(
        keys.evaluationSummary(runKey, generation, name),
        legibleBytes(summary),
        'application/json',
      );
      return { summary: ref, accuracy: accuracyK.map(({ value }) => value), rows };
    });
  };
}

const movedAt = ({ unchanged, reached }: Movement) => ({ ...(unchanged !== null && { unchanged }), reached });

/** How many could not be graded. */
const failedAmong = (answers: readonly Answer[]) => answers.filter(({ quality }) => quality === null).length;

/** Iterates by problem, sample and depth. */
function chainsOf(answersKPS: readonly (readonly (readonly Answer[])[])[]): Iterate[][][] {
  return (answersKPS[0] ?? []).map((samples, problem) =>
    samples.map((_, sample) => {
      const chain = answersKPS.map((answersPS) => answersPS[problem]![sample]!);
      return chain.map((answer, k) => ({
        ...costOf(answer),
        // The later turns of an episode are played anew for each k.
        spent: tokensOf([...chain.slice(0, k), answer, ...answer.later]),
      }));
    }),
  );
}

function costOf(answer: Answer): Costed {
  return {
    quality: answer.quality ?? 0,
    tokens: tokensOf([answer, ...answer.later]),
    answer: answer.answer,
  };
}

function tokensOf(turns: readonly { completionIds: readonly number[] }[]): number {
  return turns.reduce((sum, { completionIds }) => sum + completionIds.length, 0);
}

/** Consecutive parts of so many items. */
function chunks<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

function rowOf(answer: Answer, sample: number): EvaluationRow {
  const last = answer.later.at(-1) ?? answer;
  const { baseTaskId, family, gold, depth, prompt, promptIds, completion, completionIds } = last;
  const { logProbs, policyLogProbs, finishReason, seed, policy } = last;
  const { quality, verdict, answer: read, graderVersion, error } = answer;
  return {
    ...{ taskId: baseTaskId, family, gold, depth, sample, prompt, promptIds, completion, completionIds },
    ...{ logProbs, policyLogProbs, finishReason, seed, policy },
    ...{ quality, verdict, answer: read, graderVersion, error },
  };
}
