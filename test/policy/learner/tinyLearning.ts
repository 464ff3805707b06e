import { freshAdamW } from '../../../activities/policy/learner/adamw.ts';
import { passesWithin } from '../../../activities/policy/learner/checkpointing.ts';
import { logProbs } from '../../../activities/policy/learner/logProbs.ts';
import type { Learning, UpdateInput } from '../../../activities/policy/learner/update.ts';
import type { Program } from '../../../activities/policy/graph/program.ts';
import {
  arrangeWeights,
  logProbProgram,
  textLogProbProgram,
  trainingProgram,
} from '../../../activities/policy/model/programs.ts';
import type { TrainGroup } from '../../../activities/policy/policy.ts';
import { stream } from '../../../activities/random.ts';
import type { TrainingConfig } from '../../../workflows/contract/config.ts';
import { plainTraining } from '../../training.ts';
import { randomAdapter, tinyCheckpoint, tinyConfig } from '../tinyCheckpoint.ts';

/** A tiny policy with what an update needs of it. */

export const lora: NonNullable<TrainingConfig['lora']> = { rank: 3, alpha: 6, targets: ['q', 'v', 'down'] };
export const adapter: ReadonlyMap<string, Float32Array> = adapterNamed();

const training: TrainingConfig = { ...plainTraining, learningRate: 1e-3, lora, tokensPerMicroBatch: 4096 };

/** Another adapter for each name. */
export function adapterNamed(name?: string): Map<string, Float32Array> {
  return new Map(Object.entries(randomAdapter(tinyConfig, lora, name)));
}

export const quiet = async () => undefined;

interface TinyPrograms {
  training: Program;
  checkpointed: Program;
  logProbs: Program;
  scoring: Program;
}

export async function tinyPrograms(): Promise<TinyPrograms> {
  const weights = arrangeWeights(tinyCheckpoint());
  const options = { threads: 1 };
  return {
    training: await trainingProgram(weights, lora, options),
    checkpointed: await trainingProgram(weights, lora, options, true),
    logProbs: await logProbProgram(weights, lora, options),
    scoring: await textLogProbProgram(weights, lora, options),
  };
}

/** Without a reference. */
export function learningOf(
  { training, checkpointed, logProbs }: TinyPrograms,
  memoryBudgetMiB = plainTraining.memoryBudgetMiB,
): Learning {
  return {
    training: passesWithin(memoryBudgetMiB, training, async () => checkpointed),
    logProbs: async () => logProbs,
    reference: null,
  };
}

export async function scoresOf(
  scoring: Program,
  sequences: number[][],
  parameters: ReadonlyMap<string, Float32Array>,
): Promise<(number | null)[][]> {
  return logProbs(scoring.bind(Object.fromEntries(parameters)), sequences, tinyConfig, quiet);
}

/** Random groups whose sampling log-probs are the policy's own; advantages of a group sum to zero. */
export async function groupsOf(scoring: Program, sizes: number[]): Promise<TrainGroup[]> {
  const draw = stream(['update test']);
  const tokens = (count: number) => Array.from({ length: count }, () => Math.floor(draw() * 97));
  return Promise.all(
    sizes.map(async (size): Promise<TrainGroup> => {
      const promptIds = tokens(3 + Math.floor(draw() * 10));
      const answers = Array.from({ length: size }, () => tokens(1 + Math.floor(draw() * 12)));
      const read = await scoresOf(
        scoring,
        answers.map((tokenIds) => [...promptIds, ...tokenIds]),
        adapter,
      );
      return {
        promptIds,
        completions: answers.map((tokenIds, i) => ({
          tokenIds,
          logProbs: read[i]!.slice(promptIds.length) as number[],
          policyLogProbs: read[i]!.slice(promptIds.length) as number[],
          advantage: i === 0 ? 1 : -1 / (size - 1),
          trained: true,
        })),
      };
    }),
  );
}

/** A first update of the adapter, with some values of the configuration changed. */
export function inputOf(groups: readonly TrainGroup[], changes: Partial<TrainingConfig> = {}): UpdateInput {
  return {
    parameters: adapter,
    optimizer: freshAdamW(adapter),
    groups,
    training: { ...training, ...changes },
    temperature: 1,
    maxNewTokens: 16,
  };
}
