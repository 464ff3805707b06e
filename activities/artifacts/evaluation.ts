import { z } from 'zod';
import { Sha256 } from '../../workflows/contract/ref.ts';

const share = z.number().min(0).max(1);
const change = z.number().min(-1).max(1);

/** K-step self-improvement of one policy on the held-out problems (ExIt §5.3): summary.json of an evaluation. */
export const EvaluationSummary = z.strictObject({
  schema: z.literal(2),
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
        /** Completion tokens spent at this depth. */
        tokens: z.int().nonnegative(),
      }),
    )
    .min(1),
  /** Δ_K = (corrected − broken) / answers, between k = 0 and K, with its 95 % interval: what self-improvement is worth. */
  delta: z.strictObject({ value: change, low: change, high: change }),
});
export type EvaluationSummary = z.infer<typeof EvaluationSummary>;
