import type { Feeds } from '../../../activities/policy/graph/program.ts';
import {
  layoutGroups,
  layoutPrompts,
  layoutTexts,
  maskedScore,
  placement,
  type Group,
} from '../../../activities/policy/model/layout.ts';
import {
  decodeProgram,
  logProbProgram,
  prefillProgram,
  textLogProbProgram,
  trainingProgram,
  type ModelWeights,
} from '../../../activities/policy/model/programs.ts';
import type { LoraShape } from '../../../activities/policy/weights/adapter.ts';

export interface Policy {
  weights: ModelWeights;
  lora: LoraShape;
  adapter: Record<string, Float32Array>;
  threads: number;
}

/** Log-probs of all completion tokens, in order of group, completion, token. */
type LogProbs = number[];

/** By prefill and then one decode step a token, as sampling does, with the tokens given. */
export async function bySampling(policy: Policy, groups: readonly Group[]): Promise<LogProbs> {
  const { weights, lora, adapter, threads } = policy;
  const { layers, keyValueHeads, headDim, vocabulary } = weights.config;
  const prompts = layoutPrompts(groups.map(({ promptIds }) => promptIds));
  const { N, P } = prompts.symbols as { N: number; P: number };
  const G = Math.max(...groups.map(({ completions }) => completions.length));
  const L = Math.max(...groups.flatMap(({ completions }) => completions.map((ids) => ids.length)));

  const prefill = await prefillProgram(weights, lora, { threads }, 'distribution');
  const temperature = new Float32Array(N).fill(1);
  const read = await prefill.run(prompts.symbols, { ...prompts.feeds, ...adapter, temperature });
  await prefill.release();

  const found = groups.map(({ completions }) => completions.map((): number[] => []));
  const note = (probabilities: Float32Array, t: number, rowOf: (n: number, g: number) => number) =>
    groups.forEach(({ completions }, n) =>
      completions.forEach((ids, g) => {
        if (t < ids.length) found[n]![g]!.push(Math.log(probabilities[rowOf(n, g) * vocabulary + ids[t]!]!));
      }),
    );
  note(read['distribution']!, 0, (n) => n);

  const caches: Feeds = {};
  for (let layer = 0; layer < layers; layer++)
    for (const half of ['Key', 'Value']) {
      caches[`prompt${half}.${layer}`] = read[`prompt${half}.${layer}`]!;
      // Garbage where nothing is filled: the mask must hide it.
      caches[`generated${half}.${layer}`] = new Float32Array(N * keyValueHeads * G * L * headDim).fill(7);
    }
  const generatedMask = new Float32Array(N * G * L).fill(maskedScore);
  const decode = await decodeProgram(weights, lora, { threads }, 'distribution');
  for (let t = 1; t < L; t++) {
    const tokenIds = new BigInt64Array(N * G);
    const positions = new BigInt64Array(N * G);
    groups.forEach(({ promptIds, completions }, n) =>
      completions.forEach((ids, g) => {
        tokenIds[n * G + g] = BigInt(ids[t - 1] ?? 0);
        positions[n * G + g] = BigInt(promptIds.length + t - 1);
      }),
    );
    const step = await decode.run(
      { R: N * G, N, G, P, L },
      {
        ...adapter,
        ...caches,
        ...placement([...tokenIds.keys()], N * G),
        tokenIds,
        positions,
        temperature: new Float32Array(N * G).fill(1),
        promptMask: prompts.promptMask,
        generatedMask,
      },
    );
    note(step['distribution']!, t, (n, g) => n * G + g);
    for (let layer = 0; layer < layers; layer++)
      for (const half of ['Key', 'Value']) {
        const cache = caches[`generated${half}.${layer}`] as Float32Array;
        const fresh = step[`${half.toLowerCase()}.${layer}`]!;
        for (let row = 0; row < N * keyValueHeads * G; row++)
          cache.set(fresh.subarray(row * headDim, (row + 1) * headDim), (row * L + t - 1) * headDim);
      }
    for (let row = 0; row < N * G; row++) generatedMask[row * L + t - 1] = 0;
  }
  await decode.release();
  return found.flat(2);
}

/** By the program that reads each prompt once for its completions. */
export async function byScoring(policy: Policy, groups: readonly Group[]): Promise<LogProbs> {
  const layout = layoutGroups(groups);
  const program = await logProbProgram(policy.weights, policy.lora, { threads: policy.threads });
  const { logProbs } = await program.run(layout.symbols, { ...layout.feeds, ...policy.adapter });
  await program.release();
  return [...logProbs!];
}

/** By reading prompt and completion as one text. */
export async function byReading(policy: Policy, groups: readonly Group[]): Promise<LogProbs> {
  const texts = groups.flatMap(({ promptIds, completions }) =>
    completions.map((ids) => ({ text: [...promptIds, ...ids], skip: promptIds.length - 1 })),
  );
  const layout = layoutTexts(texts.map(({ text }) => text));
  const program = await textLogProbProgram(policy.weights, policy.lora, { threads: policy.threads });
  const { logProbs } = await program.run(layout.symbols, { ...layout.feeds, ...policy.adapter });
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
): Promise<Record<string, Float32Array>> {
  const layout = layoutGroups(groups);
  const program = await trainingProgram(policy.weights, policy.lora, { threads: policy.threads });
  const results = await program.run(layout.symbols, {
    ...layout.feeds,
    ...policy.adapter,
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
