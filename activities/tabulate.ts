import {
  SummariseResult,
  type Tabulated,
  type TabulateInput,
  type TabulateResult,
} from '../workflows/contract/evaluationSteps.ts';
import type { AblationTable, ArmTraining } from './artifacts/ablation.ts';
import { legibleBytes } from './artifacts/canonical.ts';
import { keys } from './artifacts/keys.ts';
import type { GenerationMetrics } from './artifacts/manifest.ts';
import { readChain } from './artifacts/manifests.ts';
import { committedResult } from './artifacts/once.ts';
import { decodeEvaluation } from './artifacts/parquet.ts';
import type { Store } from './artifacts/store.ts';
import { breathe } from './boundary.ts';
import { compareArms } from './curriculum/comparison.ts';
import { movement, type Movement, type Read } from './curriculum/movement.ts';
import { mean, meanOrNull } from './curriculum/statistics.ts';
import type { Dependencies } from './dependencies.ts';

/** The result of an ablation: every arm on every set of problems, with intervals, and what it cost. */
export function tabulate({ store }: Dependencies) {
  return async ({ key, depth, seeds, sets, arms, untrained }: TabulateInput): Promise<TabulateResult> => {
    const all: Record<string, (Tabulated[] | null)[]> = { ...arms, untrained: [untrained] };
    const compared: AblationTable['sets'] = {};
    for (const set of sets) {
      const played: Record<string, (PlayedRun | null)[]> = {};
      for (const [arm, runs] of Object.entries(all))
        played[arm] = await Promise.all(
          runs.map(async (tables) => {
            const table = tables?.find((one) => one.set === set);
            return table ? readPlayed(store, table, depth) : null;
          }),
        );
      const qualities = mapValues(played, (runs) => runs.map((run) => run && run.qualitiesKP));
      const comparisons = await compareArms(qualities, seeds[0] ?? 0, breathe);
      compared[set] = mapValues(comparisons, ({ depths, against }, arm) => ({
        depths: depths.map((at) => {
          const failed = total(played[arm]!.map((run) => run?.failedK[at.k] ?? 0));
          const moved = played[arm]!.flatMap((run) => run?.movedK[at.k] ?? []);
          const unchanged = meanOrNull(moved.flatMap((one) => one.unchanged ?? []));
          return {
            ...at,
            ...(unchanged !== null && { unchanged }),
            reached: mean(moved.map(({ reached }) => reached)),
            ...(failed > 0 && { failed }),
          };
        }),
        against,
      }));
    }
    const table: AblationTable = {
      schema: 1,
      key,
      seeds,
      arms: Object.keys(arms),
      sets: compared,
      rewards: {},
      training: {},
      cost: {},
      runs: Object.fromEntries(
        Object.entries(arms).map(([arm, runs]) => [arm, runs.map((tables) => tables?.[0]?.runKey ?? null)]),
      ),
    };
    for (const [arm, runKeys] of Object.entries(table.runs)) {
      const chains = await Promise.all(
        runKeys.filter((runKey) => runKey !== null).map((runKey) => readChain(store, runKey)),
      );
      if (chains.length === 0) continue;
      const metrics = chains.map((chain) => chain.flatMap(({ content }) => content.metrics ?? []));
      table.rewards[arm] = metrics.map((generations) => generations.map(({ meanReward }) => meanReward));
      table.training[arm] = trainingOf(metrics);
      table.cost[arm] = {
        promptTokens: mean(metrics.map((run) => total(run.flatMap((one) => spent(one, 'promptTokens'))))),
        completionTokens: mean(
          metrics.map((run) => total(run.flatMap((one) => spent(one, 'completionTokens')))),
        ),
        seconds: mean(
          chains.map((chain) => total(chain.flatMap(({ observed }) => Object.values(observed.seconds)))),
        ),
      };
    }
    // Made again, from the same record and maybe more of it, when the ablation is started again.
    return {
      table: await store.overwrite(keys.ablationTable(key), legibleBytes(table), 'application/json'),
    };
  };
}

/** How an arm's runs were trained, in the mean. */
function trainingOf(runs: readonly (readonly GenerationMetrics[])[]): ArmTraining {
  const last = runs.flatMap((generations) => generations.at(-1) ?? []);
  const over = (value: (metrics: GenerationMetrics) => number) => mean(last.map(value));
  return {
    withSignal: mean(
      runs.map(
        (generations) =>
          total(generations.map(({ groupsWithSignal }) => groupsWithSignal)) /
          total(generations.flatMap(({ byStep }) => Object.values(byStep).map(({ prompts }) => prompts))),
      ),
    ),
    entropy: meanOrNull(
      runs.flatMap((generations) => generations.flatMap(({ update }) => update?.entropy ?? []).at(-1) ?? []),
    ),
    bufferSize: over(({ bufferSize }) => bufferSize),
    bufferMeanDepth: over(({ bufferMeanDepth }) => bufferMeanDepth),
    bufferMaxDepth: over(({ bufferMaxDepth }) => bufferMaxDepth),
    bufferMeanScore: over(({ bufferMeanScore }) => bufferMeanScore),
    effectiveSampleSize: meanOrNull(last.flatMap(({ selection }) => selection['effectiveSampleSize'] ?? [])),
  };
}

/** Of the generation, and of its drafts. */
const spent = (metrics: GenerationMetrics, tokens: 'promptTokens' | 'completionTokens') => [
  metrics[tokens],
  metrics.drafts?.[tokens] ?? 0,
];

const total = (numbers: readonly number[]) => numbers.reduce((sum, value) => sum + value, 0);

const mapValues = <From, To>(record: Record<string, From>, to: (value: From, name: string) => To) =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, to(value, name)]));

/** An evaluation of one run on one set of problems. */
interface PlayedRun {
  /** Quality by depth and problem, the mean over a problem's samples. */
  qualitiesKP: number[][];
  /** Answers that could not be graded, by depth. They count as wrong. */
  failedK: number[];
  movedK: Movement[];
}

/** Read through the evaluation's committed record. */
async function readPlayed(
  store: Store,
  { runKey, generation, set: name }: Tabulated,
  depth: number,
): Promise<PlayedRun> {
  const step = keys.step(runKey, { kind: 'evaluation', generation, name, depth }, 'summarise');
  const { rows } = await committedResult(store, step, SummariseResult);
  const qualitiesKP: number[][] = [];
  const failedK: number[] = [];
  const readK: Read[][] = [];
  // One depth at a time: all answers of an evaluation, prompts and tokens too, may be more than fits into memory.
  for (const ref of rows) {
    const answers = await decodeEvaluation(await store.read(ref), ref.key);
    const byTask = new Map<string, number[]>();
    for (const { taskId, quality } of answers)
      byTask.set(taskId, [...(byTask.get(taskId) ?? []), quality ?? 0]);
    qualitiesKP.push([...byTask.values()].map(mean));
    failedK.push(answers.filter(({ quality }) => quality === null).length);
    readK.push(answers.map(({ quality, answer }) => ({ quality: quality ?? 0, answer })));
  }
  return { qualitiesKP, failedK, movedK: movement(readK) };
}
