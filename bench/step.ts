import { stream } from '../activities/random.ts';
import { update } from './batch.ts';
import { asking, keysOf, lora, seconds } from './bench.ts';
import type { Bench } from './bench.ts';
import { compare } from './compare.ts';
import type { Contender, Result } from './compare.ts';

const prompts = 8;
const rollouts = 8;
const newTokens = 48;

/**
 * One whole GRPO step: 8 sums × 8 answers of at most 48 tokens, sampled, graded, trained on. Ours as a run does it:
 * groups whose answers are all alike in reward have no gradient and are left out of the update.
 */
export async function step(bench: Bench): Promise<Result[]> {
  const { device, tokenizer, adapter, rounds, report } = bench;
  const args = [lora.rank, lora.alpha, prompts, rollouts, newTokens, rounds + 1];
  const peers = await bench.peers([{ name: 'TRL GRPOTrainer (fp32)', script: 'trl_step.py', args }]);
  let call = 0;
  const ours: Contender = {
    name: 'reiterate (fp32)',
    measure: () =>
      seconds(async () => {
        const sums = problems(call++);
        const asked = sums.map(({ question }, i) => ({
          tokenIds: tokenizer.encode(tokenizer.renderPrompt([{ role: 'user', content: question }])),
          keys: keysOf(`step ${call} ${i}`, rollouts),
        }));
        const options = { maxNewTokens: newTokens, temperature: 1, topK: null, topP: null, stopStrings: [] };
        const answered = await device.generate(adapter, asked, options);
        const groups = answered.flatMap((completions, i) => {
          const rewards = completions.map(({ tokenIds }) =>
            reward(tokenizer.decode(tokenIds), sums[i]!.answer),
          );
          const advantages = standardised(rewards);
          if (advantages.every((advantage) => advantage === 0)) return [];
          return {
            promptIds: asked[i]!.tokenIds,
            completions: completions.map(({ tokenIds, logProbs, policyLogProbs }, k) => ({
              tokenIds,
              logProbs,
              policyLogProbs,
              advantage: advantages[k]!,
              trained: true,
            })),
          };
        });
        if (groups.length === 0) return;
        await update(bench, groups);
      }),
  };
  const others = peers.map((peer) => asking(peer, {}));
  return [await compare('one GRPO step, 8 × 8 × ≤ 48', 's', ours, others, rounds, report)];
}

function problems(call: number): { question: string; answer: string }[] {
  const draw = stream(['bench', 'step', call]);
  const digit = () => 1 + Math.floor(draw() * 9);
  return Array.from({ length: prompts }, () => {
    const [a, b] = [digit(), digit()];
    return {
      question: `What is ${a} + ${b}? Put your final answer in \\boxed{}.`,
      answer: String(a + b),
    };
  });
}

/** The reward that the TRL script gives: the last number is the right one. */
function reward(text: string, answer: string): number {
  return text.match(/-?\d+/g)?.at(-1) === answer ? 1 : 0;
}

function standardised(rewards: number[]): number[] {
  const mean = rewards.reduce((sum, value) => sum + value, 0) / rewards.length;
  const variance = rewards.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rewards.length;
  return rewards.map((value) => (value - mean) / (Math.sqrt(variance) + 1e-4));
}
