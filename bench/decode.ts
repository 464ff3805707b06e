import { asking, keysOf, seconds, textTokens } from './bench.ts';
import type { Bench } from './bench.ts';
import { compare } from './compare.ts';
import { decodeRoof } from './roof.ts';
import type { Contender, Result } from './compare.ts';

const promptTokens = 64;
const newTokens = 64;

/**
 * Batched sampling from one prompt of 64 tokens. Ours: whole calls, with prefill, sampling, a LoRA adapter and the
 * way to the engine process and back. llama.cpp: decode alone, on the quantised weights, without sampling.
 */
export async function decode(bench: Bench): Promise<Result[]> {
  const { device, tokenizer, adapter, rounds, report } = bench;
  const peers = await bench.peers([
    { name: 'llama.cpp (Q4_1)', script: 'llama_decode.py' },
    { name: 'transformers generate (fp32)', script: 'torch_generate.py' },
  ]);
  const promptIds = textTokens(tokenizer, promptTokens);
  const results: Result[] = [];
  for (const batch of [64, 8]) {
    let call = 0;
    const ours: Contender = {
      name: 'reiterate (fp32)',
      async measure() {
        const keys = keysOf(`decode ${batch} ${call++}`, batch);
        const options = { maxNewTokens: newTokens, temperature: 1, topK: null, topP: null, stopStrings: [] };
        let tokens = 0;
        const taken = await seconds(async () => {
          const [completions = []] = await device.generate(adapter, [{ tokenIds: promptIds, keys }], options);
          for (const { tokenIds } of completions) tokens += tokenIds.length;
        });
        return tokens / taken;
      },
    };
    const request = { promptIds, batch, newTokens };
    const others = [...peers.map((peer) => asking(peer, request)), await decodeRoof(bench, batch)];
    results.push(await compare(`decode, B = ${batch}`, 'tok/s', ours, others, rounds, report));
  }
  return results;
}
