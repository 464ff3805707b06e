import { groupsOf, padded, update, type BatchShape } from './batch.ts';
import { asking, seconds, type Bench, type NamedPeer } from './bench.ts';
import { compare, type Contender, type Result } from './compare.ts';
import { matchGradients } from './gradient.ts';
import { trainingRoof } from './roof.ts';

/**
 * One update (forward, backward, AdamW on a LoRA of all linears): at equal tokens, one sequence of 512 and four of 256;
 * and of a GRPO batch, 4 groups of 8 completions × 50 after prompts of 200. PyTorch computes the batch as TRL does, in
 * rows of prompt and completion, so each prompt 8 times, and we once; of the batch the gradients are compared, too. Ours
 * with the way to the engine process and back, adapter and optimizer state included.
 */
export async function train(bench: Bench): Promise<Result[]> {
  const peers = await bench.peers(torchTrainers(bench));
  const sequence = { groups: 1, prompt: 1, completions: 1, completion: 511 };
  const sequences = { groups: 1, prompt: 1, completions: 4, completion: 255 };
  const batch = { groups: 4, prompt: 200, completions: 8, completion: 50 };
  // Before they are timed, because each timed step changes PyTorch's adapter.
  const gradients = await matchGradients(bench, await groupsOf(bench, batch), peers);
  return [
    await measured(bench, 'train, T = 512', 'tok/s', sequence, peers),
    await measured(bench, 'train, T = 4 × 256', 'tok/s', sequences, peers),
    { ...(await measured(bench, 'train, 4 × (200 + 8 × 50)', 's', batch, peers)), gradients },
  ];
}

/** PyTorch with the bench's adapter, as installed and with its frozen linears sent to oneDNN. */
export function torchTrainers({ adapterFolder }: Bench): Parameters<Bench['peers']>[0] {
  return [
    { name: 'PyTorch + PEFT, as installed', script: 'torch_train.py', args: [adapterFolder, 'installed'] },
    { name: 'PyTorch + PEFT, oneDNN', script: 'torch_train.py', args: [adapterFolder, 'onednn'] },
  ];
}

async function measured(
  bench: Bench,
  name: string,
  unit: 'tok/s' | 's',
  shape: BatchShape,
  peers: readonly NamedPeer[],
): Promise<Result> {
  const { groups: count, prompt, completions, completion } = shape;
  const groups = await groupsOf(bench, shape);
  const scored = completions * completion;
  const inUnit = (taken: number) => (unit === 's' ? taken : (count * (prompt + scored)) / taken);
  const ours: Contender = {
    name: 'reiterate (fp32)',
    measure: async () => inUnit(await seconds(() => update(bench, groups))),
  };
  const theirs = peers.map((peer): Contender => {
    const contender = asking(peer, padded(groups));
    return { ...contender, measure: async () => inUnit(await contender.measure()) };
  });
  // Of one group, which is what a pass holds.
  const roof = await trainingRoof(bench, shape);
  const bound: Contender = {
    ...roof,
    measure: async () => inUnit((count * (prompt + scored)) / (await roof.measure())),
  };
  return compare(name, unit, ours, [...theirs, bound], bench.rounds, bench.report);
}
