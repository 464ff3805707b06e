import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDevice } from '../activities/policy/engine/device.ts';
import type { Blob, Device, Tokenizer } from '../activities/policy/policy.ts';
import { openTokenizer } from '../activities/policy/tokenizer/tokenizer.ts';
import {
  decodeParameters,
  encodeParameters,
  type PolicyParameters,
} from '../activities/policy/weights/parameters.ts';
import { writePeftFolder } from '../activities/policy/weights/export.ts';
import { keyOf, keyToHex, stream } from '../activities/random.ts';
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
  /** Its B is small but not zero, so that every part of it has a gradient. */
  adapter: Blob;
  /** The same adapter for Python's `peft`. */
  adapterFolder: string;
  /** For files that end with the bench. */
  folder: string;
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
  /** What each peer that was started computes with. */
  libraries: Record<string, string>;
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
  const bytes = encodeParameters(awoken(decodeParameters(await device.initialPolicy(lora, 'bench'))));
  const folder = await mkdtemp(join(tmpdir(), 'reiterate-bench-'));
  const adapterFolder = join(folder, 'adapter');
  await writePeftFolder(adapterFolder, lora, bytes, 'HuggingFaceTB/SmolLM2-135M-Instruct');
  const absent: Record<string, string> = {};
  const libraries: Record<string, string> = {};
  let started: Peer[] = [];
  const stopPeers = () => Promise.all(started.map((peer) => peer.stop()));
  return {
    ...rest,
    tokenizer,
    device,
    adapter: blobOf(bytes),
    adapterFolder,
    folder,
    absent,
    libraries,
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
          libraries[name] = peer.library;
        } catch (error) {
          absent[name] = error instanceof Error ? error.message : String(error);
          options.report(`${name} is left out: ${absent[name]}`);
        }
      }
      return found;
    },
    async close() {
      await Promise.all([device.close(), stopPeers()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A fresh adapter as if it had learned a little: B is no longer zero. */
function awoken({ trainable, tensors }: PolicyParameters): PolicyParameters {
  for (const [name, { data }] of tensors) {
    if (!name.includes('.lora_B.')) continue;
    const draw = stream(['bench', name]);
    for (let i = 0; i < data.length; i++) data[i] = 2e-3 * (draw() - 0.5);
  }
  return { trainable, tensors };
}

/** A peer asked the same thing each time; it answers `{ value }` in the comparison's unit. */
export function asking({ name, peer }: NamedPeer, request: object): Contender {
  return { name, measure: async () => (await peer.ask<{ value: number }>(request)).value };
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
