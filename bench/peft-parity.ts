import { join } from 'node:path';
import { writePeftFolder } from '../activities/policy/weights/export.ts';
import { blobOf, keysOf, lora, training } from './bench.ts';
import type { Bench } from './bench.ts';

/** Largest difference that float32 in another order may make, in nats. */
const tolerance = 2e-3;
const updates = 3;

export interface Parity {
  tokens: number;
  /** Largest |ours − PEFT's| over the tokens, with the trained adapter and without any. */
  adapted: number;
  base: number;
  /** Largest change of a log-prob by the adapter: how much there was to get wrong. */
  effect: number;
  agrees: boolean;
}

/**
 * Trains an adapter for a few steps, exports it, opens it with Python's `peft` and compares the log-probs of
 * sampled tokens.
 */
export async function peftParity(bench: Bench): Promise<Parity> {
  const { device, tokenizer, report } = bench;
  const prompt = (content: string) => tokenizer.encode(tokenizer.renderPrompt([{ role: 'user', content }]));
  const asked = ['Name a colour.', 'What is 7 + 5?', 'Write one line of Python.'].map((question, i) => ({
    tokenIds: prompt(question),
    keys: keysOf(`parity ${i}`, 4),
  }));
  let adapter = bench.adapter;
  let optimizer = null;
  let sequences: number[][] = [];
  for (let done = 0; done < updates; done++) {
    const options = { maxNewTokens: 32, temperature: 1, topK: null, topP: null, stopStrings: [] };
    const answered = await device.generate(adapter, asked, options);
    sequences = answered.flatMap((all, i) => all.map(({ tokenIds }) => [...asked[i]!.tokenIds, ...tokenIds]));
    const groups = answered.map((all, i) => ({
      promptIds: asked[i]!.tokenIds,
      completions: all.map(({ tokenIds, logProbs, policyLogProbs }, k) => ({
        tokenIds,
        logProbs,
        policyLogProbs,
        advantage: k % 2 ? 1 : -1,
        trained: true,
      })),
    }));
    report(`training an adapter: update ${done + 1} of ${updates}`);
    const result = await device.update({
      policy: adapter,
      optimizer,
      reference: null,
      groups,
      training: { ...training, learningRate: 1e-3 },
      temperature: 1,
      maxNewTokens: 32,
    });
    adapter = blobOf(result.policy);
    optimizer = blobOf(result.optimizer);
  }
  const folder = join(bench.folder, 'trained');
  await writePeftFolder(folder, lora, await adapter.load(), 'HuggingFaceTB/SmolLM2-135M-Instruct');
  const peers = await bench.peers([{ name: 'PEFT', script: 'peft_log_probs.py', args: [folder] }]);
  const [python] = peers;
  if (!python) throw new Error(`PEFT did not open the exported adapter: ${bench.absent['PEFT']}`);
  const theirs = await python.peer.ask<{ base: number[][]; adapted: number[][] }>({ sequences });
  const ours = async (blob: typeof adapter | null) =>
    (await device.logProbs(blob, sequences)).map((all) => all.slice(1).map((value) => value!));
  const adapted = largestGap(await ours(adapter), theirs.adapted);
  const base = largestGap(await ours(null), theirs.base);
  return {
    tokens: theirs.base.flat().length,
    adapted,
    base,
    effect: largestGap(theirs.adapted, theirs.base),
    agrees: adapted <= tolerance && base <= tolerance,
  };
}

function largestGap(a: number[][], b: number[][]): number {
  const others = b.flat();
  return Math.max(...a.flat().map((value, i) => Math.abs(value - others[i]!)));
}
