import {
  layoutGroups,
  layoutPrompts,
  layoutTexts,
  type Group,
} from '../../../activities/policy/model/layout.ts';
import { Past } from '../../../activities/policy/model/past.ts';
import {
  decodeProgram,
  logProbProgram,
  prefillProgram,
  textLogProbProgram,
  trainingProgram,
  type ModelWeights,
} from '../../../activities/policy/model/programs.ts';
import type { Precision } from '../../../activities/policy/policy.ts';
import { BatchCache, CacheRoom } from '../../../activities/policy/rollout/cache.ts';
import type { Trainable } from '../../../activities/policy/weights/parameters.ts';

export interface Policy {
  weights: ModelWeights;
  trainable: Trainable;
  /** Its own tensors: an adapter's, or those of `weights`. */
  tensors: Record<string, Float32Array>;
  threads: number;
  /** Default 1. */
  temperature?: number;
  /** Of decoding; default float32. */
  precision?: Precision;
}

/** Log-probs of all completion tokens, in order of group, completion, token. */
type LogProbs = number[];

/** By prefill, `prefix` tokens of it shared, and then one decode step a token: as sampling does, with the tokens given. */
export async function bySampling(policy: Policy, groups: readonly Group[], prefix = 0): Promise<LogProbs> {
  const { weights, trainable, tensors, threads, temperature = 1 } = policy;
  const { vocabulary } = weights.config;
  const [N, G] = [groups.length, Math.max(...groups.map(({ completions }) => completions.length))];
  const P = Math.max(...groups.map(({ promptIds }) => promptIds.length));
  const longest = Math.max(...groups.flatMap(({ completions }) => completions.map((ids) => ids.length)));
  const size = { rows: N * G, places: N, promptLength: P, maxNewTokens: longest };
  const cache = new BatchCache(weights.config, size, new CacheRoom());
  const found = groups.map(({ completions }) => completions.map((): number[] => []));
  const note = (distribution: Float32Array, row: number, n: number, g: number) => {
    const tokens = groups[n]!.completions[g]!;
    const logProbs = found[n]![g]!;
    if (logProbs.length < tokens.length)
      logProbs.push(Math.log(distribution[row * vocabulary + tokens[logProbs.length]!]!));
  };

  const prefill = await prefillProgram(weights, trainable, { threads }, 'distribution');
  const layout = layoutPrompts(
    groups.map(({ promptIds }) => promptIds),
    prefix,
  );
  const past = Past.none(weights.config);
  const temperatures = (rows: number) => new Float32Array(rows).fill(temperature);
  const read = await prefill.run(layout.symbols, {
    ...layout.feeds,
    ...past.feeds,
    ...tensors,
    temperature: temperatures(N),
  });
  await prefill.release();
  cache.admit(layout, past, read, G);
  groups.forEach(({ completions }, n) => completions.forEach((_, g) => note(read['distribution']!, n, n, g)));

  const adapted = trainable === 'full' ? null : trainable;
  const decode = (await decodeProgram(weights, adapted, { threads }, 'distribution', policy.precision)).bind(
    tensors,
  );
  for (let t = 1; t < longest; t++) {
    const ids = groups.flatMap(({ completions }) =>
      Array.from({ length: G }, (_, g) => completions[g]?.[t - 1] ?? 0),
    );
    const step = await decode.run(cache.symbols, {
      ...cache.feeds(),
      tokenIds: BigInt64Array.from(ids, BigInt),
      positions: cache.positions,
      temperature: temperatures(N * G),
    });
    cache.append(step);
    groups.forEach(({ completions }, n) =>
      completions.forEach((_, g) => note(step['distribution']!, n * G + g, n, g)),
    );
  }
  await decode.release();
  return found.flat(2);
}

/** By the program that reads each prompt once for its completions. */
export async function byScoring(policy: Policy, groups: readonly Group[]): Promise<LogProbs> {
  const layout = layoutGroups(groups);
  const program = await logProbProgram(policy.weights, policy.trainable, { threads: policy.threads });
  const { logProbs } = await program.run(layout.symbols, {
    ...layout.feeds,
    ...policy.tensors,
    temperature: Float32Array.of(policy.temperature ?? 1),
  });
  await program.release();
  return [...logProbs!];
}

/** By reading prompt and completion as one text. */
export async function byReading(policy: Policy, groups: readonly Group[]): Promise<LogProbs> {
  const texts = groups.flatMap(({ promptIds, completions }) =>
    completions.map((ids) => ({ text: [...promptIds, ...ids], skip: promptIds.length - 1 })),
  );
  const layout = layoutTexts(texts.map(({ text }) => text));
  const program = await textLogProbProgram(policy.weights, policy.trainable, { threads: policy.threads });
  const { logProbs } = await program.run(layout.symbols, {
    ...layout.feeds,
    ...Past.none(policy.weights.config).feeds,
    ...policy.tensors,
    temperature: Float32Array.of(policy.temperature ?? 1),
  });
  await program.release();
  return texts.flatMap(({ skip }, i) => {
    const { start, end } = layout.rowsOf(i);
    return [...logProbs!.subarray(start + skip, end)];
  });
}

/** What the objective is fed besides tokens; per-token lists in order of group, completion, token. */
export interface Objective {
  advantages: ArrayLike<number>;
  tokenWeights: ArrayLike<number>;
  oldLogProbs: ArrayLike<number>;
  referenceLogProbs: ArrayLike<number>;
  /** Default: those of the old policy. */
  samplerLogProbs?: ArrayLike<number>;
  clipRatio: { low: number; high: number };
  klCoefficient: number;
  onPolicy: boolean;
  /** null: no importance sampling. */
  importanceCap: number | null;
}

/** The outputs of the training program. */
export async function byTraining(
  policy: Policy,
  groups: readonly Group[],
  objective: Objective,
  checkpointed = false,
): Promise<Record<string, Float32Array>> {
  const layout = layoutGroups(groups);
  const { weights, trainable, threads } = policy;
  const program = await trainingProgram(weights, trainable, { threads }, checkpointed);
  const results = await program.run(layout.symbols, {
    ...layout.feeds,
    ...policy.tensors,
    temperature: Float32Array.of(policy.temperature ?? 1),
    advantages: Float32Array.from(objective.advantages),
    tokenWeights: Float32Array.from(objective.tokenWeights),
    oldLogProbs: Float32Array.from(objective.oldLogProbs),
    referenceLogProbs: Float32Array.from(objective.referenceLogProbs),
    samplerLogProbs: Float32Array.from(objective.samplerLogProbs ?? objective.oldLogProbs),
    clipLow: Float32Array.of(objective.clipRatio.low),
    clipHigh: Float32Array.of(objective.clipRatio.high),
    klCoefficient: Float32Array.of(objective.klCoefficient),
    onPolicy: Float32Array.of(Number(objective.onPolicy)),
    importance: Float32Array.of(objective.importanceCap === null ? 0 : 1),
    importanceCap: Float32Array.of(objective.importanceCap ?? 1),
  });
  await program.release();
  return results;
}

export const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  if (a.length !== b.length) throw new Error(`${a.length} numbers beside ${b.length}`);
  return Array.from(a).reduce((largest, x, i) => Math.max(largest, Math.abs(x - b[i]!)), 0);
};

export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [product, left, right] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    product += a[i]! * b[i]!;
    left += a[i]! ** 2;
    right += b[i]! ** 2;
  }
  return product / Math.sqrt(left * right);
}
