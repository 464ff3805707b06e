import type { TrainGroup, UpdateResult } from '../activities/policy/policy.ts';
import { textTokens, training, type Bench } from './bench.ts';

/** Groups of one shape; lengths in tokens. */
export interface BatchShape {
  groups: number;
  prompt: number;
  completions: number;
  completion: number;
}

/** Rows that TRL computes in one pass unless told otherwise: `per_device_train_batch_size`. */
const rowsPerPass = 8;

/** Groups as sampling would hand them over, with the log-probs that their tokens have; no two alike. */
export async function groupsOf(
  { device, adapter, tokenizer }: Bench,
  { groups, prompt, completions, completion }: BatchShape,
): Promise<TrainGroup[]> {
  const text = textTokens(tokenizer, groups * (prompt + completions * completion));
  let at = 0;
  const take = (tokens: number) => text.slice(at, (at += tokens));
  const asked = Array.from({ length: groups }, () => ({
    promptIds: take(prompt),
    answers: Array.from({ length: completions }, () => take(completion)),
  }));
  const sequences = asked.flatMap(({ promptIds, answers }) => answers.map((ids) => [...promptIds, ...ids]));
  const scores = await device.logProbs(adapter, sequences);
  return asked.map(({ promptIds, answers }, group) => ({
    promptIds,
    completions: answers.map((tokenIds, i) => {
      const logProbs = scores[group * completions + i]!.slice(prompt).map((value) => value!);
      const advantage = completions > 1 ? (2 * i) / (completions - 1) - 1 : 1;
      return { tokenIds, logProbs, policyLogProbs: logProbs, advantage, trained: true };
    }),
  }));
}

/** One update of the bench's adapter, from a fresh optimizer. */
export function update(
  { device, adapter }: Pick<Bench, 'device' | 'adapter'>,
  groups: TrainGroup[],
): Promise<UpdateResult> {
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

/** The same update as `torch_train.py` is asked for it. */
export function padded(groups: readonly TrainGroup[]): object {
  return {
    rowsPerPass,
    groups: groups.map(({ promptIds, completions }) => ({
      promptIds,
      completions: completions.map(({ tokenIds, advantage }) => ({ tokenIds, advantage })),
    })),
  };
}
