import { z } from 'zod';
import { EvaluationConfig } from '../../workflows/contract/config.ts';
import { DomainConfig } from '../../workflows/contract/domain.ts';
import { Sha256 } from '../../workflows/contract/ref.ts';

const share = z.number().min(0).max(1);
const change = z.number().min(-1).max(1);

/** setting.json: all that an evaluation of its own plays otherwise than the policy's run. */
export const EvaluationSetting = z.strictObject({
  schema: z.literal(1),
  domain: DomainConfig,
  evaluation: EvaluationConfig,
  maxNewTokens: z.int().positive(),
  seed: z.int().nonnegative(),
});
export type EvaluationSetting = z.infer<typeof EvaluationSetting>;

const Interval = z.strictObject({ value: share, low: share, high: share });

/**
 * K-step self-improvement beside what its tokens buy otherwise, at one k: each chain of iterates against independent
 * answers to the same problem, the first answer being the first of both; see `budgetMatched`.
 */
const BudgetMatched = z.strictObject({
  k: z.int().nonnegative(),
  /** Independent answers that the tokens buy, in the mean: as many as have no more tokens. At most K + 1 are played. */
  answers: z.number().positive(),
  /** Of an independent answer: the mean over all that were played, so that no length decides which of them counts. */
  resampling: Interval,
  /** Of what most of those that the tokens buy answer; of equally many, the earliest. */
  majority: Interval,
  /** Of the best of those, as only a verifier knows it: an upper bound. */
  bestOf: Interval,
  /** The same two, of the iterates 0…k. */
  majorityOfIterates: Interval,
  bestOfIterates: Interval,
});

/** K-step self-improvement of one policy on the held-out problems (ExIt §5.3): summary.json of an evaluation. */
export const EvaluationSummary = z.strictObject({
  schema: z.literal(2),
  /** Of an evaluation of its own; absent when it is the run's. */
  name: z.string().exactOptional(),
  /** The generation whose policy was evaluated; 0 is the untrained one. */
  generation: z.int().nonnegative(),
  /** sha256 of its parameters. */
  policy: Sha256,
  /** Held-out problems, and answers each of them got at every depth. */
  tasks: z.int().positive(),
  samplesPerTask: z.int().positive(),
  /** One entry for each k = 0…K. */
  depths: z
    .array(
      z.strictObject({
        k: z.int().nonnegative(),
        accuracy: share,
        /** 95 % confidence interval of the accuracy. */
        low: share,
        high: share,
        /** pass@n: problems of which at least one of the n answers is right (the best quality, in the mean). */
        pass: share,
        /** Answers that were worse at k = 0 than at k (wrong → right). */
        corrected: z.int().nonnegative(),
        /** Answers that were better at k = 0 than at k (right → wrong). */
        broken: z.int().nonnegative(),
        /** Answers that say what the one a step before said; absent at k = 0, and in records made before it was counted. */
        unchanged: share.exactOptional(),
        /** The best quality among the iterates 0…k, in the mean; see `movement`. */
        reached: share.exactOptional(),
        /** Completion tokens spent at this depth. */
        tokens: z.int().nonnegative(),
        /** Answers that the grader could not grade: they count as wrong. Absent when there are none. */
        failed: z.int().positive().exactOptional(),
      }),
    )
    .min(1),
  /** Absent when no independent answers were played. */
  baselines: z.array(BudgetMatched).exactOptional(),
  /** Independent answers that could not be graded; absent when there are none. */
  baselinesFailed: z.int().positive().exactOptional(),
  /** Δ_K = (corrected − broken) / answers, between k = 0 and K, with its 95 % interval: what self-improvement is worth. */
  delta: z.strictObject({ value: change, low: change, high: change }),
});
export type EvaluationSummary = z.infer<typeof EvaluationSummary>;
