import { openPrograms } from '../activities/policy/engine/programs.ts';
import { playQueue, type Decoder, type Entry } from '../activities/policy/rollout/batch.ts';
import { BatchCache, CacheRoom } from '../activities/policy/rollout/cache.ts';
import { placesFor, rowsFor } from '../activities/policy/rollout/generate.ts';
import { Rollout } from '../activities/policy/rollout/rollout.ts';
import { tokenSource } from '../activities/policy/rollout/tokenSource.ts';
import { openCheckpoint } from '../activities/policy/weights/checkpoint.ts';
import { decodeParameters } from '../activities/policy/weights/parameters.ts';
import { stream } from '../activities/random.ts';
import { keysOf, seconds, textTokens, type Bench } from './bench.ts';
import { compare, type Contender, type Result } from './compare.ts';

const promptTokens = 64;
const prompts = 32;
/** Of each prompt. */
const rollouts = 8;
const [shortest, longest] = [5, 200];

/**
 * Continuous batching under uneven work: 256 rollouts that end after 5 to 200 tokens, each length drawn once from a
 * seed. Beside it the full-batch rate: as many rollouts as a batch has rows, all of the mean length, so that every row
 * is at work from the first step to the last. Both with their prefill, drawn tokens and an adapter, in this process,
 * because the lengths are given and the model's own end tokens must not count.
 */
export async function load(bench: Bench): Promise<Result[]> {
  const draw = stream(['bench', 'load']);
  const lengths = Array.from(
    { length: prompts * rollouts },
    () => shortest + Math.floor(draw() * (longest - shortest + 1)),
  );
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const player = await openPlayer(bench);
  const even = new Array<number>(player.rows).fill(Math.round(total / lengths.length));
  const uneven: Contender = {
    name: 'reiterate (fp32)',
    measure: () => player.play(lengths),
    close: () => player.close(),
  };
  const full: Contender = { name: 'full batch', bound: true, measure: () => player.play(even) };
  const name = `load, ${lengths.length} rollouts of ${shortest} to ${longest}`;
  return [await compare(name, 'tok/s', uneven, [full], bench.rounds, bench.report)];
}

interface Player {
  /** Rollouts of a full batch. */
  rows: number;
  /** Tokens a second of rollouts of these lengths. */
  play(lengths: readonly number[]): Promise<number>;
  close(): Promise<void>;
}

async function openPlayer({ modelPath, threads, tokenizer, adapter }: Bench): Promise<Player> {
  const checkpoint = await openCheckpoint(modelPath);
  const { config } = checkpoint;
  const policy = { sha256: adapter.sha256, ...decodeParameters(await adapter.load(), config) };
  const feeds = Object.fromEntries([...policy.tensors].map(([name, { data }]) => [name, data]));
  const programs = openPrograms(checkpoint, { threads });
  const nothing = () => Promise.resolve();
  const options = { maxNewTokens: longest, temperature: 1, topK: null, topP: null, stopStrings: [] };
  const room = new CacheRoom();
  const decoder: Decoder = {
    config,
    prefill: (await programs.get('prefill', policy, nothing)).bind(feeds),
    decode: (await programs.get('decode', policy, nothing)).bind(feeds),
    tokens: tokenSource(options, config.vocabulary),
    openCache: async (size) => new BatchCache(config, size, room),
  };
  const rows = rowsFor(config, longest);
  const limits = { rows, places: placesFor(config, promptTokens) };
  const text = textTokens(tokenizer, prompts * promptTokens);
  let call = 0;
  return {
    rows,
    async play(lengths) {
      const keys = keysOf(`load ${call++}`, lengths.length);
      const all = lengths.map(
        (maxNewTokens, i) =>
          new Rollout(keys[i]!, { maxNewTokens, stopTokens: new Set(), newStopWatch: () => () => false }),
      );
      const queue = Array.from({ length: all.length / rollouts }, (_, i): Entry => {
        const promptIds = text.slice(i * promptTokens, (i + 1) * promptTokens);
        return { promptIds, rollouts: all.slice(i * rollouts, (i + 1) * rollouts) };
      });
      const taken = await seconds(() => playQueue(decoder, queue, limits, longest, nothing));
      return lengths.reduce((sum, length) => sum + length, 0) / taken;
    },
    async close() {
      await decoder.prefill.release();
      await decoder.decode.release();
    },
  };
}
