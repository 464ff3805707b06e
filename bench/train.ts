import { training, asking, lora, seconds, textTokens } from './bench.ts';
import type { Bench } from './bench.ts';
import { compare } from './compare.ts';
import { trainingRoof } from './roof.ts';
import type { Contender, Result } from './compare.ts';
import type { TrainGroup } from '../activities/policy/policy.ts';

/**
 * One update (forward, backward, AdamW on a LoRA of all linears): at equal tokens, one sequence of 512; and of a
 * group of 8 completions × 50 after one prompt of 200, which PyTorch computes 8 times and ours once. Ours with the
 * way to the engine process and back, adapter and optimizer state included.
 */
export async function train(bench: Bench): Promise<Result[]> {
  const { rounds, report } = bench;
  const peers = await bench.peers([
    { name: 'PyTorch + PEFT, as installed', script: 'torch_train.py', args: ['installed'] },
    { name: 'PyTorch + PEFT, oneDNN', script: 'torch_train.py', args: ['onednn'] },
  ]);
  const measured = async (
    name: string,
    unit: 'tok/s' | 'ms',
    prompt: number,
    count: number,
    length: number,
  ) => {
    const ids = textTokens(bench.tokenizer, prompt + count * length);
    const promptIds = ids.slice(0, prompt);
    const completions = Array.from({ length: count }, (_, i) =>
      ids.slice(prompt + i * length, prompt + (i + 1) * length),
    );
    const inUnit = (taken: number) => (unit === 'ms' ? 1000 * taken : (prompt + count * length) / taken);
    const group = await scored(bench, promptIds, completions);
    const ours: Contender = {
      name: 'reiterate (fp32)',
      measure: async () => inUnit(await seconds(() => update(bench, [group]))),
    };
    const others = peers.map((peer) => {
      const contender = asking(peer, { lora, promptIds, completions });
      return { ...contender, measure: async () => inUnit(await contender.measure()) };
    });
    const roof = await trainingRoof(bench, prompt + count * length, count * length);
    others.push({ ...roof, measure: async () => inUnit((prompt + count * length) / (await roof.measure())) });
    return compare(name, unit, ours, others, rounds, report);
  };
  return [
    await measured('train, T = 512', 'tok/s', 1, 1, 511),
    await measured('train, prompt 200 + 8 × 50', 'ms', 200, 8, 50),
  ];
}

/** A group as sampling would hand it over: with the log-probs its tokens have. */
export async function scored(
  { device, adapter }: Bench,
  promptIds: number[],
  completions: number[][],
): Promise<TrainGroup> {
  const logProbs = await device.logProbs(
    adapter,
    completions.map((tokenIds) => [...promptIds, ...tokenIds]),
  );
  return {
    promptIds,
    completions: completions.map((tokenIds, i) => ({
      tokenIds,
      logProbs: logProbs[i]!.slice(promptIds.length).map((value) => value!),
      policyLogProbs: logProbs[i]!.slice(promptIds.length).map((value) => value!),
      advantage: completions.length > 1 ? (2 * i) / (completions.length - 1) - 1 : 1,
      trained: true,
    })),
  };
}

export function update(
  { device, adapter }: Pick<Bench, 'device' | 'adapter'>,
  groups: TrainGroup[],
): Promise<unknown> {
  return device.update({
    policy: adapter,
    optimizer: null,
    reference: null,
    groups,
    training,
    temperature: 1,
    maxNewTokens: 512,
  });
}
