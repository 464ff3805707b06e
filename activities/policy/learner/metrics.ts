import type { UpdateMetrics } from '../policy.ts';
import type { Prepared } from './prepare.ts';

/** Per-token outputs of the training program that are averaged over all trained tokens of all epochs. */
const averaged = ['kl', 'clippedLow', 'clippedHigh', 'importanceWeight', 'importanceCapped'] as const;

/** What the metrics of an update are made of, summed over its passes. */
export class Sums {
  gradientNorm = 0;
  checkpointedPasses = 0;
  #loss = 0;
  readonly #perToken = { kl: 0, clippedLow: 0, clippedHigh: 0, importanceWeight: 0, importanceCapped: 0 };
  #tokens = 0;
  #firstTokens = 0;
  #negativeLogProb = 0;
  #entropy = 0;
  #mismatch = 0;
  #largestMismatch = 0;

  /** One pass; `startLogProbsR`: those of the policy that the update starts from. */
  add(
    { sampledRows, policyLogProbsR }: Prepared,
    outputs: Record<string, Float32Array>,
    startLogProbsR: Float32Array,
    firstEpoch: boolean,
  ): void {
    this.#loss += outputs['loss']![0]!;
    this.#tokens += sampledRows.length;
    for (const name of averaged) for (const row of sampledRows) this.#perToken[name] += outputs[name]![row]!;
    if (!firstEpoch) return;
    this.#firstTokens += sampledRows.length;
    for (const row of sampledRows) {
      const logProb = startLogProbsR[row]!;
      const mismatch = Math.abs(logProb - policyLogProbsR[row]!);
      this.#negativeLogProb -= logProb;
      this.#entropy += outputs['entropy']![row]!;
      this.#mismatch += mismatch;
      this.#largestMismatch = Math.max(this.#largestMismatch, mismatch);
    }
  }

  metrics(steps: number, withReference: boolean, processedTokens: number): UpdateMetrics {
    const { kl, clippedLow, clippedHigh, importanceWeight, importanceCapped } = this.#perToken;
    return {
      loss: this.#loss / steps,
      gradientNorm: this.gradientNorm / steps,
      kl: withReference ? kl / this.#tokens : 0,
      negativeLogProb: this.#negativeLogProb / this.#firstTokens,
      entropy: this.#entropy / this.#firstTokens,
      clippedLow: clippedLow / this.#tokens,
      clippedHigh: clippedHigh / this.#tokens,
      importanceWeight: importanceWeight / this.#tokens,
      importanceCapped: importanceCapped / this.#tokens,
      samplerMismatch: this.#mismatch / this.#firstTokens,
      largestMismatch: this.#largestMismatch,
      trainedTokens: this.#firstTokens,
      processedTokens,
      steps,
      checkpointedPasses: this.checkpointedPasses,
    };
  }
}
