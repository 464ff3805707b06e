import { createHash } from 'node:crypto';
import { openDevice } from '../activities/policy/engine/device.ts';
import type { Blob, Device, Tokenizer } from '../activities/policy/policy.ts';
import { keyOf, keyToHex } from '../activities/random.ts';
import { openTokenizer } from '../activities/policy/tokenizer/tokenizer.ts';
import type { TrainingConfig } from '../workflows/contract/config.ts';
import type { Report } from '../infra/problem.ts';
import type { Contender } from './compare.ts';
import { Peer } from './peer.ts';

/** The same for ours and for every peer. */
export const lora: NonNullable<TrainingConfig['lora']> = {
  rank: 16,
  alpha: 32,
  targets: ['q', 'k', 'v', 'o', 'gate', 'up', 'down'],
};

/** One AdamW step without a reference policy. */
export const training: TrainingConfig = {
  learningRate: 1e-5,
  adamBetas: [0.9, 0.999],
  adamEpsilon: 1e-8,
  weightDecay: 0,
  gradientClip: 1,
  clipRatio: { low: 0.2, high: 0.2 },
  importanceCap: null,
  klCoefficient: 0,
  reference: { interval: 1, alpha: 0.5 },
  epochs: 1,
  minibatches: 1,
  overlong: 'train',
  advantage: 'standard',
  lossNormalisation: 'token',
  lora,
  tokensPerMicroBatch: 1024,
  memoryBudgetMiB: 4096,
};

/** What every benchmark works with. */
export interface Bench {
  device: Device;
  tokenizer: Tokenizer;
  adapter: Blob;
  modelPath: string;
  threads: number;
  rounds: number;
  report: Report;
  /**
   * Starts programs of `peers/`, with the model and the threads before their own arguments, and ends those of the
   * call before. One that does not start (llama.cpp where no compiler is) is noted in `absent` and left out.
   */
  peers(wanted: { name: string; script: string; args?: (string | number)[] }[]): Promise<NamedPeer[]>;
  absent: Record<string, string>;
}

export interface NamedPeer {
  name: string;
  peer: Peer;
}

export async function openBench(
  options: Pick<Bench, 'modelPath' | 'threads' | 'rounds' | 'report'> & { python: string },
): Promise<Bench & { close(): Promise<void> }> {
  const { python, ...rest } = options;
  const tokenizer = await openTokenizer(options.modelPath);
  const device = await openDevice({ modelPath: options.modelPath, threads: options.threads });
  const adapter = blobOf(await device.initialPolicy(lora, 'bench'));
  const absent: Record<string, string> = {};
  let started: Peer[] = [];
  const stopPeers = () => Promise.all(started.map((peer) => peer.stop()));
  return {
    ...rest,
    tokenizer,
    device,
    adapter,
    absent,
    async peers(wanted) {
      await stopPeers();
      started = [];
      const found: NamedPeer[] = [];
      for (const { name, script, args = [] } of wanted) {
        options.report(`starting ${name}`);
        try {
          const peer = await Peer.start(python, script, [options.modelPath, options.threads, ...args]);
          started.push(peer);
          found.push({ name, peer });
        } catch (error) {
          absent[name] = error instanceof Error ? error.message : String(error);
          options.report(`${name} is left out: ${absent[name]}`);
        }
      }
      return found;
    },
    async close() {
      await Promise.all([device.close(), stopPeers()]);
    },
  };
}

/** A peer asked the same thing each time; it answers `{ value }` in `scale`-ths of the comparison's unit. */
export function asking({ name, peer }: NamedPeer, request: object, scale = 1): Contender {
  return { name, measure: async () => scale * (await peer.ask<{ value: number }>(request)).value };
}

export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

export function blobOf(bytes: Uint8Array): Blob {
  return { sha256: createHash('sha256').update(bytes).digest('hex'), load: () => Promise.resolve(bytes) };
}

/** `count` random keys, others for each `call`. */
export function keysOf(call: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => keyToHex(keyOf([call, i])));
}

/** The first `count` tokens of a text long enough, repeated from its start when it is not. */
export function textTokens(tokenizer: Tokenizer, count: number): number[] {
  const story =
    'The harbour was quiet when the last boat came in. Three people stood on the pier and watched the lamps go ' +
    'out one after the other, talking about the weather, the price of rope and the long winter that lay behind ' +
    'them. Nobody had expected the letter, and nobody wanted to be the first to open it. ';
  const ids = tokenizer.encode(story.repeat(1 + Math.ceil(count / 40)));
  return ids.slice(0, count);
}
