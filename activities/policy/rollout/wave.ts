import type { Program } from '../graph/program.ts';
import { layoutPrompts, maskedScore, placement } from '../model/layout.ts';
import type { SampleOptions } from '../policy.ts';
import type { ModelConfig } from '../weights/checkpoint.ts';
import { WaveCache, type CacheRoom, type Kept } from './cache.ts';
import type { Rollout } from './rollout.ts';

/** A policy that reads prompts and goes on with them token by token. */
export interface Decoder {
  config: ModelConfig;
  prefill: Program;
  decode: Program;
  /** The adapter's tensors by name; none for the base model. */
  adapter: Record<string, Float32Array>;
}

/** A prompt in the batch with the rollouts at its places 0 … G−1; G is the same for all prompts. */
export interface Place {
  promptIds: readonly number[];
  rollouts: readonly Rollout[];
}

/** Most prompt tokens, padded, read at once. */
const prefillTokens = 2048;

/**
 * Samples all rollouts of a wave to their ends: reads the prompts and draws each rollout's first token, then one more
 * token for all rollouts that go on in each step. `report` is called before each part of the work and at the end.
 */
export async function playWave(
  decoder: Decoder,
  wave: readonly Place[],
  { maxNewTokens, temperature }: SampleOptions,
  room: CacheRoom,
  report: (phase: string) => Promise<void>,
): Promise<void> {
  const promptLength = Math.max(...wave.map(({ promptIds }) => promptIds.length));
  const cache = new WaveCache(
    decoder.config,
    { prompts: wave.length, rollouts: wave[0]!.rollouts.length, promptLength, maxNewTokens },
    room,
  );
  const together = Math.max(1, Math.floor(prefillTokens / promptLength));
  for (let first = 0; first < wave.length; first += together) {
    await report('prefill');
    await readPrompts(decoder, wave.slice(first, first + together), first, temperature, cache);
  }
  let batch = wave;
  for (;;) {
    await report('sample');
    batch = dropFinished(batch, cache);
    if (batch.length === 0) return;
    await nextTokens(decoder, batch, temperature, cache);
  }
}

/** Reads the prompts of `part`, which starts at place `first` of the wave, and draws the first tokens. */
async function readPrompts(
  { prefill, adapter }: Decoder,
  part: readonly Place[],
  first: number,
  temperature: number,
  cache: WaveCache,
): Promise<void> {
  const { symbols, feeds } = layoutPrompts(part.map(({ promptIds }) => promptIds));
  const rollouts = part.flatMap((place) => place.rollouts);
  const outputs = await prefill.run(
    { ...symbols, G: cache.rollouts },
    {
      ...feeds,
      ...adapter,
      temperature: new Float32Array(part.length).fill(temperature),
      uniforms: Float32Array.from(rollouts, ({ nextUniform }) => nextUniform),
    },
  );
  cache.setPrompts(first, symbols['P']!, outputs);
  takeTokens(rollouts, outputs);
}

/** Feeds every unfinished rollout its newest token and draws the next. */
async function nextTokens(
  { decode, adapter }: Decoder,
  batch: readonly Place[],
  temperature: number,
  cache: WaveCache,
): Promise<void> {
  const inSlots = batch.flatMap(({ promptIds, rollouts }) =>
    rollouts.map((rollout) => ({ rollout, promptLength: promptIds.length })),
  );
  const slots = [...inSlots.keys()].filter((slot) => !inSlots[slot]!.rollout.finishReason);
  const going = slots.map((slot) => inSlots[slot]!);
  const rollouts = going.map(({ rollout }) => rollout);
  const outputs = await decode.run(
    { R: going.length, N: cache.prompts, G: cache.rollouts, P: cache.promptLength, L: cache.length },
    {
      ...adapter,
      ...cache.feeds(),
      ...placement(slots, inSlots.length),
      promptMask: promptMask(batch, cache.promptLength),
      generatedMask: generatedMask(inSlots.length, cache),
      temperature: new Float32Array(going.length).fill(temperature),
      uniforms: Float32Array.from(rollouts, ({ nextUniform }) => nextUniform),
      tokenIds: BigInt64Array.from(rollouts, ({ tokenIds }) => BigInt(tokenIds.at(-1)!)),
      // The token fed stands after the prompt and the tokens whose keys the cache holds.
      positions: BigInt64Array.from(going, ({ promptLength }) => BigInt(promptLength + cache.filled)),
    },
  );
  cache.append(outputs);
  takeTokens(rollouts, outputs);
}

function takeTokens(rollouts: readonly Rollout[], outputs: Record<string, Float32Array>): void {
  const { tokens, probabilities } = outputs;
  rollouts.forEach((rollout, row) => rollout.take(tokens![row]!, probabilities![row]!));
}

/**
 * Takes prompts whose rollouts are all finished out of the batch, and shrinks G to the most unfinished rollouts that
 * any prompt has; finished rollouts fill the places of prompts that have fewer.
 */
function dropFinished(batch: readonly Place[], cache: WaveCache): readonly Place[] {
  const live = batch.map(({ rollouts }) => rollouts.filter(({ finishReason }) => !finishReason).length);
  const most = Math.max(...live);
  if (most === 0) return [];
  if (most === cache.rollouts && !live.includes(0)) return batch;
  const kept: Kept = batch.flatMap(({ rollouts }, prompt) => {
    if (live[prompt] === 0) return [];
    const places = [...rollouts.keys()];
    const going = places.filter((place) => !rollouts[place]!.finishReason);
    const finished = places.filter((place) => rollouts[place]!.finishReason);
    return [{ prompt, rollouts: [...going, ...finished].slice(0, most).sort((a, b) => a - b) }];
  });
  cache.keep(kept);
  return kept.map(({ prompt, rollouts }) => ({
    promptIds: batch[prompt]!.promptIds,
    rollouts: rollouts.map((place) => batch[prompt]!.rollouts[place]!),
  }));
}

/** [N, P]: 0 on prompt tokens, masked on padding. */
function promptMask(batch: readonly Place[], promptLength: number): Float32Array {
  const mask = new Float32Array(batch.length * promptLength);
  batch.forEach(({ promptIds }, place) =>
    mask.fill(maskedScore, place * promptLength + promptIds.length, (place + 1) * promptLength),
  );
  return mask;
}

/** [N, G, L]: 0 where the cache is filled; alike for all, because the rollouts of a wave go in step. */
function generatedMask(rows: number, { length, filled }: WaveCache): Float32Array {
  const mask = new Float32Array(rows * length);
  for (let row = 0; row < rows; row++) mask.fill(maskedScore, row * length + filled, (row + 1) * length);
  return mask;
}
