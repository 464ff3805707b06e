import { readFile } from 'node:fs/promises';
import { openDevice } from '../activities/policy/engine/device.ts';
import type { Device } from '../activities/policy/policy.ts';
import { groupsOf, padded, update } from './batch.ts';
import { keysOf, textTokens } from './bench.ts';
import type { Bench, NamedPeer } from './bench.ts';
import type { Result } from './compare.ts';
import { torchTrainers } from './train.ts';

const batch = 64;
const newTokens = 384;

/**
 * The most memory a process held, model included: sampling 64 answers of up to 384 tokens after a prompt of 64; and
 * one update on 8 groups of 8 completions × 50 after prompts of 200, which PyTorch computes 8 rows at a time. Measured
 * once, each of ours in an engine of its own: memory does not vary as times do.
 */
export async function memory(bench: Bench): Promise<Result[]> {
  const [sampler] = await bench.peers([
    { name: 'transformers generate (fp32)', script: 'torch_generate.py' },
  ]);
  const promptIds = textTokens(bench.tokenizer, 64);
  const sampling = await measured(bench, 'memory, sampling 64 × 384', sampler, {
    ours: async (device) => {
      const prompts = [{ tokenIds: promptIds, keys: keysOf('memory', batch) }];
      await device.generate(bench.adapter, prompts, {
        maxNewTokens: newTokens,
        temperature: 1,
        topK: null,
        topP: null,
        stopStrings: [],
      });
    },
    peer: { promptIds, batch, newTokens },
  });

  const [trainer] = await bench.peers(torchTrainers(bench).slice(0, 1));
  const groups = await groupsOf(bench, { groups: 8, prompt: 200, completions: 8, completion: 50 });
  const training = await measured(bench, 'memory, update on 8 × (200 + 8 × 50)', trainer, {
    ours: (device) => update({ ...bench, device }, groups),
    peer: padded(groups),
  });
  return [sampling, training];
}

async function measured(
  { modelPath, threads, report }: Bench,
  name: string,
  named: NamedPeer | undefined,
  work: { ours: (device: Device) => Promise<unknown>; peer: object },
): Promise<Result> {
  const device = await openDevice({ modelPath, threads });
  const peers: Record<string, number> = {};
  try {
    await work.ours(device);
    const ours = await peakMiB(device.processId());
    report(`${name}: reiterate ${ours} MiB`);
    if (named) {
      await named.peer.ask(work.peer);
      peers[named.name] = await peakMiB(named.peer.processId);
      report(`${name}: ${named.name} ${peers[named.name]} MiB`);
    }
    return { name, unit: 'MiB', ours, peers, bounds: {} };
  } finally {
    await device.close();
  }
}

/** Largest resident set so far, as Linux keeps it. */
async function peakMiB(processId: number | null): Promise<number> {
  const status = await readFile(`/proc/${processId}/status`, 'utf8').catch((cause: unknown) => {
    throw new Error('peak memory is read from /proc, which only Linux has', { cause });
  });
  return Math.round(Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) / 1024);
}
