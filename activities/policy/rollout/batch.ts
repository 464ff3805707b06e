import type { Program } from '../graph/program.ts';
import { layoutPrompts, placement, type PromptLayout } from '../model/layout.ts';
import { Past, passLimit } from '../model/past.ts';
import type { ModelConfig } from '../weights/checkpoint.ts';
import type { Cache, CacheSize, Kept } from './cache.ts';
import { common, planReadings, prefixPasses } from './prefixes.ts';
import type { Rollout } from './rollout.ts';
import type { TokenSource } from './tokenSource.ts';

/** A policy that reads prompts and goes on with them token by token. */
export interface Decoder {
  config: ModelConfig;
  /** Both are bound to the policy and yield what `tokens` wants. */
  prefill: Program;
  decode: Program;
  tokens: TokenSource;
  /** Makes the cache of a batch. */
  openCache: (size: CacheSize) => Promise<Cache>;
}

/** A prompt with G of its rollouts; G is the same for all of a queue. */
export interface Entry {
  promptIds: readonly number[];
  rollouts: readonly Rollout[];
}

/** What a batch may hold. */
export interface Limits {
  /** Rollouts decoded together. */
  rows: number;
  /** Prompts whose keys and values are held, at least one. */
  places: number;
}

/** A full batch lets this share of its rows finish before it takes in new prompts, so as to read several at once. */
const refillShare = 1 / 8;

/**
 * Samples all rollouts of a queue to their ends, by continuous batching: in each step one more token for every rollout
 * at work; when enough have finished, the next prompts of the queue are read into the places that are free. Which
 * prompts when depends on the queue and the tokens alone. `report` is called before each part of the work and at the
 * end.
 */
export async function playQueue(
  decoder: Decoder,
  queue: readonly Entry[],
  limits: Limits,
  maxNewTokens: number,
  report: (phase: string) => Promise<void>,
  prefillTokens = passLimit,
): Promise<void> {
  const rollouts = queue[0]!.rollouts.length;
  const cache = await decoder.openCache({
    places: Math.min(limits.places, queue.length),
    rollouts,
    promptLength: Math.max(...queue.map(({ promptIds }) => promptIds.length)),
    maxNewTokens,
  });
  let batch: Entry[] = [];
  let waiting = queue;
  for (;;) {
    const freeRows = limits.rows - batch.reduce((sum, entry) => sum + liveOf(entry), 0);
    if (freeRows >= refillShare * limits.rows) {
      const places = freeIn(batch, limits.places).slice(0, Math.floor(freeRows / rollouts));
      const admitted = waiting.slice(0, places.length);
      waiting = waiting.slice(places.length);
      admitted.forEach((entry, i) => (batch[places[i]!] = entry));
      await readPrompts(decoder, admitted, places, cache, report, prefillTokens);
    }
    await report('sample');
    if (waiting.length === 0) batch = await dropFinished(batch, cache);
    if (batch.length === 0) return;
    // First tokens may have finished all that was admitted.
    if (batch.every((entry) => liveOf(entry) === 0)) continue;
    await nextTokens(decoder, batch, cache);
  }
}

const liveOf = ({ rollouts }: Entry): number => rollouts.filter(({ finishReason }) => !finishReason).length;

/** Places whose rollouts have all finished, then those never used. */
function freeIn(batch: readonly Entry[], limit: number): number[] {
  return Array.from({ length: limit }, (_, place) => place).filter((place) => {
    const entry = batch[place];
    return !entry || liveOf(entry) === 0;
  });
}

/**
 * Reads the prompts of `entries` into the given places, and draws the first tokens. What is too long for one pass is
 * read in several, each of which looks at what those before it have read; what the next prompts begin with, too, is
 * not read again.
 */
async function readPrompts(
  { config, prefill, tokens }: Decoder,
  entries: readonly Entry[],
  places: readonly number[],
  cache: Cache,
  report: (phase: string) => Promise<void>,
  prefillTokens: number,
): Promise<void> {
  const prompts = entries.map(({ promptIds }) => promptIds);
  const pass = async (layout: PromptLayout, past: Past, rollouts: readonly Rollout[]) => {
    await report('prefill');
    const symbols = { ...layout.symbols, G: cache.rollouts };
    const feeds = { ...layout.feeds, ...past.feeds, ...tokens.feeds(layout.lengths.length, rollouts) };
    return prefill.run(symbols, feeds);
  };
  let past = Past.none(config);
  for (const { prefix, rest, prompts: chosen } of planReadings(prompts, prefillTokens)) {
    const [first] = chosen.map((index) => entries[index]!);
    const beginning = first!.promptIds.slice(0, prefix);
    past = past.first(common(past.tokenIds, beginning));
    for (const end of prefixPasses(past.length, prefix, rest, prefillTokens)) {
      const layout = layoutPrompts([beginning.slice(0, end)], past.length, past.length);
      // No token is drawn after it, but the program must have numbers to draw with.
      const outputs = await pass(layout, past, first!.rollouts);
      past = past.extended(beginning.slice(past.length, end), outputs);
    }
    const read = chosen.map((index) => prompts[index]!);
    const rollouts = chosen.flatMap((index) => entries[index]!.rollouts);
    const layout = layoutPrompts(read, prefix, past.length);
    const outputs = await pass(layout, past, rollouts);
    const into = chosen.map((index) => places[index]!);
    await cache.setPrompts(into, layout, past, outputs);
    tokens.deal(chosen.length, rollouts, outputs);
  }
}

/** Feeds every unfinished rollout its newest token and draws the next. */
async function nextTokens({ decode, tokens }: Decoder, batch: readonly Entry[], cache: Cache): Promise<void> {
  const inSlots = batch.flatMap(({ rollouts }) => rollouts);
  const slots = [...inSlots.keys()].filter((slot) => !inSlots[slot]!.finishReason);
  const rollouts = slots.map((slot) => inSlots[slot]!);
  const { arrays, held } = await decode.runHolding(
    { R: slots.length, N: cache.places, G: cache.rollouts, P: cache.promptLength, L: cache.length },
    {
      ...cache.feeds(),
      ...placement(slots, inSlots.length),
      ...tokens.feeds(slots.length, rollouts),
      tokenIds: BigInt64Array.from(rollouts, ({ tokenIds }) => BigInt(tokenIds.at(-1)!)),
      positions: BigInt64Array.from(slots, (slot) => BigInt(cache.nextPosition(slot))),
    },
  );
  await cache.append(slots, arrays, held);
  tokens.deal(slots.length, rollouts, arrays);
}

/**
 * Takes prompts whose rollouts are all finished out of the batch, and shrinks G to the most unfinished rollouts that
 * any prompt has; finished rollouts fill the slots of prompts that have fewer.
 */
async function dropFinished(batch: Entry[], cache: Cache): Promise<Entry[]> {
  const live = batch.map(liveOf);
  const most = Math.max(...live);
  if (most === 0) return [];
  if (most === cache.rollouts && !live.includes(0)) return batch;
  const kept: Kept = batch.flatMap(({ rollouts }, place) => {
    if (live[place] === 0) return [];
    const all = [...rollouts.keys()];
    const going = all.filter((rollout) => !rollouts[rollout]!.finishReason);
    const finished = all.filter((rollout) => rollouts[rollout]!.finishReason);
    return [{ place, rollouts: [...going, ...finished].slice(0, most).sort((a, b) => a - b) }];
  });
  await cache.keep(kept);
  return kept.map(({ place, rollouts }) => ({
    promptIds: batch[place]!.promptIds,
    rollouts: rollouts.map((rollout) => batch[place]!.rollouts[rollout]!),
  }));
}
