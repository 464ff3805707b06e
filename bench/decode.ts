import type { Completion, Precision } from '../activities/policy/policy.ts';
import { asking, keysOf, seconds, textTokens } from './bench.ts';
import type { Bench } from './bench.ts';
import { compare } from './compare.ts';
import { decodeRoof } from './roof.ts';
import type { Contender, Result } from './compare.ts';

const promptTokens = 64;
const newTokens = 64;

/** Completions whose log-probs are looked at again. */
const compared = 16;

/**
 * Batched sampling from one prompt of 64 tokens, in float32 and in 8 bits. Ours: whole calls, with prefill, sampling, a
 * LoRA adapter and the way to the engine process and back. llama.cpp: decode alone, on the quantised weights, without
 * sampling.
 */
export async function decode(bench: Bench): Promise<Result[]> {
  const { tokenizer, rounds, report } = bench;
  const [llama, generate] = [
    { name: 'llama.cpp (Q4_1)', script: 'llama_decode.py' },
    { name: 'transformers generate (fp32)', script: 'torch_generate.py' },
  ];
  const peers = await bench.peers([llama, generate]);
  const promptIds = textTokens(tokenizer, promptTokens);
  const results: Result[] = [];
  for (const batch of [64, 8]) {
    const request = { promptIds, batch, newTokens };
    const others = [
      ...peers.map((peer) => asking(peer, request)),
      await decodeRoof(bench, { rows: batch, prompt: promptTokens, generated: newTokens / 2 }),
    ];
    const { contender: ours } = sampling(bench, promptIds, batch, 'float32');
    results.push(await compare(`decode, B = ${batch}`, 'tok/s', ours, others, rounds, report));
  }
  for (const batch of [64, 8]) {
    const request = { promptIds, batch, newTokens };
    const others = peers.filter(({ name }) => name === llama.name).map((peer) => asking(peer, request));
    const { contender: ours, mismatch } = sampling(bench, promptIds, batch, 'w8a8');
    const result = await compare(`decode w8a8, B = ${batch}`, 'tok/s', ours, others, rounds, report);
    results.push({ ...result, note: `mean |Δ log-prob| ${(await mismatch()).toFixed(3)}` });
  }
  return results;
}

/** Ours, and how far off the log-probs of its last completions are from the policy's own, in the mean. */
function sampling({ device, adapter }: Bench, promptIds: number[], batch: number, precision: Precision) {
  let call = 0;
  let completions: Completion[] = [];
  const contender: Contender = {
    name: `reiterate (${precision})`,
    async measure() {
      const keys = keysOf(`decode ${batch} ${call++}`, batch);
      const options = { maxNewTokens: newTokens, temperature: 1, topK: null, topP: null, stopStrings: [] };
      const taken = await seconds(async () => {
        const prompts = [{ tokenIds: promptIds, keys }];
        [completions = []] = await device.generate(adapter, prompts, { ...options, precision });
      });
      return completions.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0) / taken;
    },
  };
  const mismatch = async () => {
    const some = completions.slice(0, compared);
    const texts = some.map(({ tokenIds }) => [...promptIds, ...tokenIds]);
    const read = await device.logProbs(adapter, texts);
    const gaps = some.flatMap(({ logProbs }, i) =>
      logProbs.map((logProb, t) => Math.abs(logProb - read[i]![promptIds.length + t]!)),
    );
    return gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  };
  return { contender, mismatch };
}
