import { Engine } from '../activities/policy/engine/engine.ts';
import type { Blob } from '../activities/policy/policy.ts';
import { openPrograms } from '../activities/policy/engine/programs.ts';
import type { BetweenSteps, OperationCall } from '../activities/policy/engine/protocol.ts';
import {
  openCheckpoint,
  type Checkpoint,
  type ModelConfig,
} from '../activities/policy/weights/checkpoint.ts';
import { encodeParameters, initialParameters } from '../activities/policy/weights/parameters.ts';
import { tensorShapes } from '../activities/policy/weights/tensors.ts';
import { blobOf, keysOf, lora, seconds, textTokens, training, type Bench } from './bench.ts';
import { median } from './compare.ts';

/** Tokens a second while one thing grows and the rest stays. */
export interface Curve {
  name: string;
  points: { at: string; tokensPerSecond: number }[];
}

const newTokens = 32;
/** Rollouts of a prompt, when there are that many. */
const groupSize = 8;
/** What stays, where something else grows. */
const [usualRollouts, usualPrompt, usualTokens] = [32, 64, 512];

/** SmolLM2-360M. Its weights are not to hand, and random ones cost the same. */
const larger: Partial<ModelConfig> = {
  hidden: 960,
  intermediate: 2560,
  layers: 32,
  heads: 15,
  keyValueHeads: 5,
};

/**
 * How cost grows, ours alone: decoding (prompts already read) over rollouts and over context, training over tokens and
 * over rank, and both over the size of the model. The engine in this process; each point is measured by itself, medians
 * of `rounds` after one that does not count.
 */
export async function scaling(bench: Bench): Promise<Curve[]> {
  const small = await openCheckpoint(bench.modelPath);
  const trial = new Trial(bench, small);
  const curve = async <Value>(
    name: string,
    values: Value[],
    label: (value: Value) => string,
    measure: (value: Value) => Promise<number>,
  ): Promise<Curve> => {
    const points: Curve['points'] = [];
    for (const value of values) {
      const measured: number[] = [];
      for (let round = 0; round <= bench.rounds; round++) measured.push(await measure(value));
      const tokensPerSecond = median(measured.slice(1));
      bench.report(`scaling: ${name}, ${label(value)}: ${tokensPerSecond.toPrecision(4)} tok/s`);
      points.push({ at: label(value), tokensPerSecond });
    }
    return { name, points };
  };
  const curves = [
    await curve(
      `decode, prompt ${usualPrompt}`,
      [1, 8, 32, 64, 128],
      (count) => `B = ${count}`,
      (count) => trial.decode(count, usualPrompt),
    ),
    await curve(
      `decode, B = ${usualRollouts}`,
      [64, 512, 2048],
      (length) => `prompt ${length}`,
      (length) => trial.decode(usualRollouts, length),
    ),
    await curve(
      `train, rank ${lora.rank}`,
      [128, 256, 512, 1024],
      (count) => `T = ${count}`,
      (count) => trial.train(count, lora.rank),
    ),
    await curve(
      `train, T = ${usualTokens}`,
      [4, 16, 64],
      (rank) => `rank ${rank}`,
      (rank) => trial.train(usualTokens, rank),
    ),
  ];
  const trials = [trial, new Trial(bench, randomCheckpoint({ ...small.config, ...larger }))];
  const size = ({ checkpoint }: Trial) => `${Math.round(checkpoint.parameters / 1e6)} M parameters`;
  return [
    ...curves,
    await curve(`decode, B = ${usualRollouts}, prompt ${usualPrompt}`, trials, size, (one) =>
      one.decode(usualRollouts, usualPrompt),
    ),
    await curve(`train, T = ${usualTokens}, rank ${lora.rank}`, trials, size, (one) =>
      one.train(usualTokens, lora.rank),
    ),
  ];
}

/** An engine in this process, whose completions all have full length. */
class Trial {
  readonly #engine: Engine;
  readonly #adapters = new Map<number, Blob>();
  #call = 0;

  constructor(
    readonly bench: Bench,
    readonly checkpoint: Checkpoint,
  ) {
    const tokenizer = { ...bench.tokenizer, stopTokenIds: [] };
    this.#engine = new Engine(
      checkpoint,
      tokenizer,
      openPrograms(checkpoint, { threads: bench.threads }),
      null,
    );
  }

  /** Tokens a second of decoding alone, after a prompt of this length that each group holds for itself. */
  async decode(rollouts: number, promptLength: number): Promise<number> {
    const G = Math.min(rollouts, groupSize);
    const tokenIds = textTokens(this.bench.tokenizer, promptLength);
    const prompts = Array.from({ length: rollouts / G }, () => ({
      tokenIds,
      keys: keysOf(`scaling ${this.#call++}`, G),
    }));
    const adapter = this.#adapter(lora.rank);
    const options = { maxNewTokens: newTokens, temperature: 1, topK: null, topP: null, stopStrings: [] };
    const steps: { tokens: number; at: number }[] = [];
    await this.#perform(
      { operation: 'generate', input: { policy: adapter.sha256, prompts, options } },
      adapter,
      async ({ phase, tokens }) => void (phase === 'sample' && steps.push({ tokens, at: performance.now() })),
    );
    const [first, last] = [steps[0]!, steps.at(-1)!];
    return (1000 * (last.tokens - first.tokens)) / (last.at - first.at);
  }

  /** Tokens a second of one update on one sequence. */
  async train(tokens: number, rank: number): Promise<number> {
    const ids = textTokens(this.bench.tokenizer, tokens);
    const tokenIds = ids.slice(1);
    const logProbs = tokenIds.map(() => -1);
    const completion = { tokenIds, logProbs, policyLogProbs: logProbs, advantage: 1, trained: true };
    const groups = [{ promptIds: ids.slice(0, 1), completions: [completion] }];
    const adapter = this.#adapter(rank);
    const input = { policy: adapter.sha256, optimizer: null, reference: null, groups, training };
    const taken = await seconds(() =>
      this.#perform(
        { operation: 'update', input: { ...input, temperature: 1, maxNewTokens: tokens } },
        adapter,
        () => Promise.resolve(),
      ),
    );
    return tokens / taken;
  }

  #adapter(rank: number): Blob {
    const known = this.#adapters.get(rank);
    if (known) return known;
    const shape = { ...lora, rank, alpha: 2 * rank };
    const adapter = blobOf(encodeParameters(initialParameters(this.checkpoint, shape, 'scaling')));
    this.#adapters.set(rank, adapter);
    return adapter;
  }

  async #perform(call: OperationCall, adapter: Blob, betweenSteps: BetweenSteps): Promise<void> {
    const around = { blob: () => adapter.load(), keep: () => undefined, betweenSteps };
    await this.#engine.perform(call, around);
  }
}

function randomCheckpoint(config: ModelConfig): Checkpoint {
  const shapes = tensorShapes(config);
  const sizeOf = (name: string) => shapes.get(name)!.reduce((a, b) => a * b, 1);
  return {
    config,
    name: 'random weights',
    sha256: '',
    parameters: [...shapes.keys()].reduce((sum, name) => sum + sizeOf(name), 0),
    tensor: (name) => {
      const shape = shapes.get(name)!;
      const scale = 2 / Math.sqrt(shape.at(-1)!);
      const data = new Float32Array(sizeOf(name));
      if (shape.length === 1) data.fill(1);
      else for (let i = 0; i < data.length; i++) data[i] = scale * (((i * 7919) % 10_007) / 10_007 - 0.5);
      return { shape, data };
    },
  };
}
