import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { keyFromHex, uniform, type Key } from '../../random.ts';
import type { BetweenSteps } from '../engine/protocol.ts';
import type { Program } from '../graph/program.ts';
import { layoutPrompts, maskedScore } from '../model/layout.ts';
import type { Completion, FinishReason, SampleOptions, SamplePrompt, Tokenizer } from '../policy.ts';
import type { ModelConfig } from '../weights/checkpoint.ts';
import { CacheRoom, WaveCache, type Kept } from './cache.ts';
import { sampleToken } from './sampler.ts';
import { stopWatches, type StopWatch } from './stopStrings.ts';
import { planWaves, type Share } from './waves.ts';

/** What sampling needs of the engine. */
export interface Sampling {
  config: ModelConfig;
  prefill: Program;
  decode: Program;
  /** The adapter's tensors by name; none for the base model. */
  adapter: Record<string, Float32Array>;
  tokenizer: Pick<Tokenizer, 'decode' | 'stopTokenIds'>;
}

/** Most rollouts decoded together … */
const rowLimit = 64;
/** … and most bytes their generated keys and values may come to. */
const cacheBytes = 1.5 * 2 ** 30;
/** Most prompt tokens, padded, read at once. */
const prefillTokens = 2048;

/** A completion in the making. */
interface Rollout {
  key: Key;
  stopWatch: StopWatch;
  tokenIds: number[];
  logProbs: number[];
  finishReason: FinishReason | null;
}

/** One prompt of a wave with its rollouts; finished ones may have left the batch. */
interface Row {
  promptIds: readonly number[];
  /** The rollouts at places 0 … G−1 of the batch. */
  rollouts: Rollout[];
}

/**
 * G completions of each prompt, in order. Token t of a rollout is drawn with uniform number t of its own key, so
 * a completion depends on neither time nor attempt; the same request gives the same bytes on the same machine and
 * thread count. Throws `InvalidRunConfig` when a prompt leaves no room in the model's context, and `NonFiniteLoss`
 * when the policy's probabilities are not numbers.
 */
export async function generate(
  sampling: Sampling,
  prompts: readonly SamplePrompt[],
  options: SampleOptions,
  betweenSteps: BetweenSteps,
): Promise<Completion[][]> {
  const { config, tokenizer } = sampling;
  checkRoom(config, prompts, options.maxNewTokens);
  const bytesPerRow = 8 * config.layers * config.keyValueHeads * config.headDim * options.maxNewTokens;
  const limit = Math.max(1, Math.min(rowLimit, Math.floor(cacheBytes / bytesPerRow)));
  const newStopWatch = stopWatches(tokenizer, options.stopStrings);
  const rollouts = prompts.map(({ keys }) =>
    keys.map((key): Rollout => ({
      key: keyFromHex(key),
      stopWatch: newStopWatch(),
      tokenIds: [],
      logProbs: [],
      finishReason: null,
    })),
  );

  const all = rollouts.flat();
  let tokens = 0;
  let finished = 0;
  const stopTokens = new Set(tokenizer.stopTokenIds);
  /** Draws the next token of `rollout` from a row of probabilities. */
  const draw = (rollout: Rollout, probabilities: Float32Array, row: number) => {
    const { tokenIds, logProbs } = rollout;
    const u = uniform(rollout.key, tokenIds.length);
    const token = sampleToken(probabilities, row, config.vocabulary, u);
    if (token < 0)
      throw new TypedFailure(
        'NonFiniteLoss',
        `the policy's probabilities are not finite at token ${tokenIds.length} of a completion: ` +
          'the adapter is damaged or training has diverged',
      );
    tokenIds.push(token);
    logProbs.push(Math.log(probabilities[row * config.vocabulary + token]!));
    rollout.finishReason = finishOf(rollout, token, stopTokens, options.maxNewTokens);
    tokens++;
    if (rollout.finishReason) finished++;
  };

  const room = new CacheRoom();
  for (const wave of planWaves(prompts, limit)) {
    const rows = wave.map(({ index, first, count }: Share): Row => ({
      promptIds: prompts[index]!.tokenIds,
      rollouts: rollouts[index]!.slice(first, first + count),
    }));
    await playWave(sampling, rows, options, room, draw, (phase) =>
      betweenSteps({ phase, done: finished, total: all.length, tokens }),
    );
  }
  return rollouts.map((group) =>
    group.map(({ tokenIds, logProbs, finishReason }) => ({
      tokenIds,
      logProbs,
      finishReason: finishReason ?? 'length',
    })),
  );
}

function checkRoom(config: ModelConfig, prompts: readonly SamplePrompt[], maxNewTokens: number): void {
  prompts.forEach(({ tokenIds, keys }, index) => {
    if (tokenIds.length === 0 || keys.length === 0)
      throw new RangeError(`prompt ${index} needs at least one token and one key`);
    if (tokenIds.length + maxNewTokens > config.contextLength)
      throw new TypedFailure(
        'InvalidRunConfig',
        `prompt ${index} has ${tokenIds.length} tokens; with ${maxNewTokens} new ones that is more than the ` +
          `model's context of ${config.contextLength}: lower sampling.maxNewTokens or shorten the prompts`,
      );
  });
}

function finishOf(
  rollout: Rollout,
  token: number,
  stopTokens: ReadonlySet<number>,
  maxNewTokens: number,
): FinishReason | null {
  if (stopTokens.has(token)) return 'stop';
  if (rollout.stopWatch(token)) return 'stopString';
  return rollout.tokenIds.length >= maxNewTokens ? 'length' : null;
}

/** Samples the rollouts of one wave to their ends: reads the prompts, then one token for all in each step. */
async function playWave(
  { config, prefill, decode, adapter }: Sampling,
  wave: Row[],
  { maxNewTokens, temperature }: SampleOptions,
  room: CacheRoom,
  draw: (rollout: Rollout, probabilities: Float32Array, row: number) => void,
  step: (phase: string) => Promise<void>,
): Promise<void> {
  const promptLength = Math.max(...wave.map(({ promptIds }) => promptIds.length));
  const cache = new WaveCache(
    config,
    { prompts: wave.length, rollouts: wave[0]!.rollouts.length, promptLength, maxNewTokens },
    room,
  );
  const together = Math.max(1, Math.floor(prefillTokens / promptLength));
  for (let first = 0; first < wave.length; first += together) {
    await step('prefill');
    const part = wave.slice(first, first + together);
    const { symbols, feeds } = layoutPrompts(part.map(({ promptIds }) => promptIds));
    const temperatures = new Float32Array(part.length).fill(temperature);
    const outputs = await prefill.run(symbols, { ...feeds, ...adapter, temperature: temperatures });
    cache.setPrompts(first, symbols['P']!, outputs);
    part.forEach(({ rollouts }, row) => {
      for (const rollout of rollouts) draw(rollout, outputs['probabilities']!, row);
    });
  }

  let rows = wave;
  for (;;) {
    await step('sample');
    rows = dropFinished(rows, cache);
    if (rows.length === 0) return;
    const flat = rows.flatMap(({ promptIds, rollouts }) =>
      rollouts.map((rollout) => ({ promptIds, rollout })),
    );
    const outputs = await decode.run(
      { N: cache.prompts, G: cache.rollouts, P: cache.promptLength, L: cache.length },
      {
        ...adapter,
        ...cache.feeds(),
        promptMask: promptMask(rows, cache.promptLength),
        generatedMask: generatedMask(flat.length, cache),
        temperature: new Float32Array(flat.length).fill(temperature),
        tokenIds: BigInt64Array.from(flat, ({ rollout }) => BigInt(rollout.tokenIds.at(-1)!)),
        // The token fed stands after the prompt and the tokens whose keys the cache holds.
        positions: BigInt64Array.from(flat, ({ promptIds }) => BigInt(promptIds.length + cache.filled)),
      },
    );
    cache.append(outputs);
    flat.forEach(({ rollout }, row) => {
      if (!rollout.finishReason) draw(rollout, outputs['probabilities']!, row);
    });
  }
}

/**
 * Takes prompts whose rollouts are all finished out of the batch, and shrinks G to the most unfinished rollouts any
 * prompt has; finished rollouts fill the places of prompts that have fewer.
 */
function dropFinished(rows: Row[], cache: WaveCache): Row[] {
  const live = rows.map(({ rollouts }) => rollouts.filter(({ finishReason }) => !finishReason).length);
  const most = Math.max(...live);
  if (most === 0) return [];
  if (most === cache.rollouts && !live.includes(0)) return rows;
  const kept: Kept = rows.flatMap(({ rollouts }, prompt) => {
    if (live[prompt] === 0) return [];
    const places = rollouts.map((_, place) => place);
    const finishedLast = places.sort(
      (a, b) => Number(!!rollouts[a]!.finishReason) - Number(!!rollouts[b]!.finishReason) || a - b,
    );
    return [{ prompt, rollouts: finishedLast.slice(0, most).sort((a, b) => a - b) }];
  });
  cache.keep(kept);
  return kept.map(({ prompt, rollouts }) => ({
    promptIds: rows[prompt]!.promptIds,
    rollouts: rollouts.map((place) => rows[prompt]!.rollouts[place]!),
  }));
}

/** [N, P]: 0 on prompt tokens, masked on padding. */
function promptMask(rows: readonly Row[], promptLength: number): Float32Array {
  const mask = new Float32Array(rows.length * promptLength);
  rows.forEach(({ promptIds }, row) =>
    mask.fill(maskedScore, row * promptLength + promptIds.length, (row + 1) * promptLength),
  );
  return mask;
}

/** [N, G, L]: 0 where the cache is filled; alike for all, because the rollouts of a wave go in step. */
function generatedMask(rows: number, { length, filled }: WaveCache): Float32Array {
  const mask = new Float32Array(rows * length);
  for (let row = 0; row < rows; row++) mask.fill(maskedScore, row * length + filled, (row + 1) * length);
  return mask;
}
