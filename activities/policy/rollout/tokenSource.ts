import type { Feeds } from '../graph/program.ts';
import type { Yield } from '../model/programs.ts';
import type { SampleOptions } from '../policy.ts';
import type { Rollout } from './rollout.ts';
import { drawTruncated } from './truncated.ts';

/** How the next tokens of rollouts come out of the sampling programs. */
export interface TokenSource {
  /** What the programs must yield. */
  yields: Yield;
  /** What they are fed for it: `rows` distributions, from which the rollouts draw the same number each, in order. */
  feeds(rows: number, rollouts: readonly Rollout[]): Feeds;
  /** Gives each rollout its token. Throws `NonFiniteLoss`. */
  deal(rows: number, rollouts: readonly Rollout[], outputs: Record<string, Float32Array>): void;
}

/**
 * Whole distributions are drawn from in the graph, so that they never leave it; cut ones, which would have to be
 * sorted, and the likeliest token alone (temperature 0), here.
 */
export function tokenSource(options: SampleOptions, vocabulary: number): TokenSource {
  const { temperature, topK, topP } = options;
  const temperatures = (rows: number) => new Float32Array(rows).fill(temperature === 0 ? 1 : temperature);
  if (temperature > 0 && topK === null && topP === null)
    return {
      yields: 'tokens',
      feeds: (rows, rollouts) => ({
        temperature: temperatures(rows),
        uniforms: Float32Array.from(rollouts, ({ nextUniform }) => nextUniform),
      }),
      deal: (_, rollouts, { tokens, probabilities }) =>
        rollouts.forEach((rollout, i) => rollout.take(tokens![i]!, probabilities![i]!, probabilities![i]!)),
    };
  const cut = temperature === 0 ? { topK: 1, topP: null } : { topK, topP };
  return {
    yields: 'distribution',
    feeds: (rows) => ({ temperature: temperatures(rows) }),
    deal: (rows, rollouts, { distribution }) =>
      rollouts.forEach((rollout, i) => {
        const row = Math.floor((i * rows) / rollouts.length);
        const probabilities = distribution!.subarray(row * vocabulary, (row + 1) * vocabulary);
        const { token, probability } = drawTruncated(probabilities, cut, rollout.nextUniform);
        rollout.take(token, probability, probabilities[token]!);
      }),
  };
}
