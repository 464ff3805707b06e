import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { keyFromHex, uniform, type Key } from '../../random.ts';
import type { FinishReason } from '../policy.ts';
import type { StopWatch } from './stopStrings.ts';

/** What ends completions. */
export interface Rules {
  maxNewTokens: number;
  stopTokens: ReadonlySet<number>;
  newStopWatch: () => StopWatch;
}

/** One completion in the making. Its token t is drawn with uniform number t of its own key. */
export class Rollout {
  readonly tokenIds: number[] = [];
  readonly logProbs: number[] = [];
  readonly policyLogProbs: number[] = [];
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

  /** The uniform number in [0, 1) that chooses its next token: 24 bits, exact in single precision. */
  get nextUniform(): number {
    return Math.floor(uniform(this.#key, this.tokenIds.length) * 2 ** 24) / 2 ** 24;
  }

  /**
   * Takes in the next token, drawn with `nextUniform`: its probability in the distribution that was drawn from, and in
   * the policy's own. Throws `NonFiniteLoss` when it has none.
   */
  take(token: number, probability: number, policyProbability: number): void {
    const { maxNewTokens, stopTokens } = this.#rules;
    const length = this.tokenIds.length;
    if (!(probability > 0))
      throw new TypedFailure(
        'NonFiniteLoss',
        `the policy's probabilities are not finite at token ${length} of a completion: ` +
          'the policy is damaged or training has diverged; resume from an earlier generation',
      );
    this.tokenIds.push(token);
    this.logProbs.push(Math.log(probability));
    this.policyLogProbs.push(Math.log(policyProbability));
    if (stopTokens.has(token)) this.finishReason = 'stop';
    else if (this.#reachesStop(token)) this.finishReason = 'stopString';
    else if (length + 1 >= maxNewTokens) this.finishReason = 'length';
  }
}
