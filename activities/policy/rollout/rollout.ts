import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { keyFromHex, uniform, type Key } from '../../random.ts';
import type { FinishReason } from '../policy.ts';
import { sampleToken } from './sampler.ts';
import type { StopWatch } from './stopStrings.ts';

/** What ends completions, and how many tokens there are to choose from. */
export interface Rules {
  vocabulary: number;
  maxNewTokens: number;
  stopTokens: ReadonlySet<number>;
  newStopWatch: () => StopWatch;
}

/** One completion in the making. Its token t is drawn with uniform number t of its own key. */
export class Rollout {
  readonly tokenIds: number[] = [];
  readonly logProbs: number[] = [];
  /** null while it goes on. */
  finishReason: FinishReason | null = null;
  readonly #key: Key;
  readonly #rules: Rules;
  readonly #reachesStop: StopWatch;

  constructor(keyHex: string, rules: Rules) {
    this.#key = keyFromHex(keyHex);
    this.#rules = rules;
    this.#reachesStop = rules.newStopWatch();
  }

  /** Draws the next token from a row of `probabilities` [B, vocabulary]. Throws `NonFiniteLoss` when it holds NaN. */
  draw(probabilities: Float32Array, row: number): void {
    const { vocabulary, maxNewTokens, stopTokens } = this.#rules;
    const length = this.tokenIds.length;
    const token = sampleToken(probabilities, row, vocabulary, uniform(this.#key, length));
    if (token < 0)
      throw new TypedFailure(
        'NonFiniteLoss',
        `the policy's probabilities are not finite at token ${length} of a completion: ` +
          'the adapter is damaged or training has diverged; resume from an earlier generation',
      );
    this.tokenIds.push(token);
    this.logProbs.push(Math.log(probabilities[row * vocabulary + token]!));
    if (stopTokens.has(token)) this.finishReason = 'stop';
    else if (this.#reachesStop(token)) this.finishReason = 'stopString';
    else if (length + 1 >= maxNewTokens) this.finishReason = 'length';
  }
}
