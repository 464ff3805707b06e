import type { Program } from '../graph/program.ts';
import { layoutPrompts, type PromptLayout } from '../model/layout.ts';
import { Past, passLimit } from '../model/past.ts';
import type { ModelConfig } from '../weights/checkpoint.ts';
import type { Cache, CacheSize } from './cache.ts';
import { closeGaps } from './closeGaps.ts';
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
 * at work; when enough have finished, the next prompts of the queue are read, and their rollouts join. Which prompts
 * when depends on the queue and the tokens alone. `report` is called before each part of the work and at the end.
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
    rows: Math.min(limits.rows, queue.length * rollouts),
    // Every prompt that is held has a rollout at work.
    places: Math.min(limits.places, limits.rows, queue.length),
    promptLength: Math.max(...queue.map(({ promptIds }) => promptIds.length)),
    maxNewTokens,
  });
  /** How many of those waiting there is room for. */
  const admissible = (rows: number): number => {
    const free = limits.rows - rows;
    if (free < refillShare * limits.rows) return 0;
    return Math.min(Math.floor(free / rollouts), limits.places - cache.places);
  };
  /** Those at work, in the order of the cache's rows. */
  let live: Rollout[] = [];
  let waiting = queue;
  for (;;) {
    live = await withoutFinished(live, cache);
    const admitted = waiting.slice(0, admissible(live.length));
    if (admitted.length > 0) {
      waiting = waiting.slice(admitted.length);
      live.push(...(await readPrompts(decoder, admitted, cache, report, prefillTokens)));
      continue; // First tokens may have finished some.
    }
    await report('sample');
    if (live.length === 0) return;
    await nextTokens(decoder, live, cache);
  }
}

/**
 * Reads the prompts of `entries` into the cache, draws the first tokens, and returns the rollouts in the order of
 * their rows. What is too long for one pass is read in several, each of which looks at what those before it have read;
 * what the next prompts begin with, too, is not read again.
 */
async function readPrompts(
  { config, prefill, tokens }: Decoder,
  entries: readonly Entry[],
  cache: Cache,
  report: (phase: string) => Promise<void>,
  prefillTokens: number,
): Promise<Rollout[]> {
  const prompts = entries.map(({ promptIds }) => promptIds);
  const G = entries[0]!.rollouts.length;
  const pass = async (layout: PromptLayout, past: Past, rollouts: readonly Rollout[]) => {
    await report('prefill');
    const feeds = { ...layout.feeds, ...past.feeds, ...tokens.feeds(layout.lengths.length, rollouts) };
    return prefill.run({ ...layout.symbols, G }, feeds);
  };
  const inRows: Rollout[] = [];
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
    await cache.admit(layout, past, outputs, G);
    tokens.deal(chosen.length, rollouts, outputs);
    inRows.push(...rollouts);
  }
  return inRows;
}

/** Feeds every rollout its newest token and draws the next. */
async function nextTokens(
  { decode, tokens }: Decoder,
  live: readonly Rollout[],
  cache: Cache,
): Promise<void> {
  const { arrays, held } = await decode.runHolding(cache.symbols, {
    ...cache.feeds(),
    ...tokens.feeds(live.length, live),
    tokenIds: BigInt64Array.from(live, ({ tokenIds }) => BigInt(tokenIds.at(-1)!)),
    positions: cache.positions,
  });
  await cache.append(arrays, held);
  tokens.deal(live.length, live, arrays);
}

/** Takes finished rollouts out of the cache, and returns the others in the order they have there now. */
async function withoutFinished(live: readonly Rollout[], cache: Cache): Promise<Rollout[]> {
  const kept = closeGaps(live.length, (row) => !live[row]!.finishReason);
  if (kept.length < live.length) await cache.keep(kept);
  return kept.map((row) => live[row]!);
}
