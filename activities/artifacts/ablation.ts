import { z } from 'zod';

const estimate = { value: z.number(), low: z.number(), high: z.number() };
const Estimate = z.strictObject(estimate);
const Difference = z.strictObject({ ...estimate, p: z.number().min(0).max(1) });

/** An arm on one set of problems; see `ArmComparison` in curriculum/comparison.ts. */
const Comparison = z.strictObject({
  depths: z.array(
    z.strictObject({
      k: z.int().nonnegative(),
      accuracy: Estimate,
      deviation: z.number().nullable(),
      corrected: z.int(),
      broken: z.int(),
      /** As in an evaluation's summary, the mean over seeds. */
      unchanged: z.number().exactOptional(),
      reached: z.number().exactOptional(),
      change: Estimate,
      /** Answers of all its runs that the grader could not grade: they count as wrong. Absent when there are none. */
      failed: z.int().positive().exactOptional(),
    }),
  ),
  against: z.strictObject({ first: Difference, last: Difference, change: Difference }).nullable(),
});

/** What the runs of an arm cost, in the mean. */
const Cost = z.strictObject({
  promptTokens: z.number(),
  completionTokens: z.number(),
  seconds: z.number(),
});

/** How training went, in the mean over an arm's runs. */
const Training = z.strictObject({
  /** Share of the groups of all generations whose rewards differed. */
  withSignal: z.number(),
  /** Of the newest update that had one, in nats a token. */
  entropy: z.number().nullable(),
  /** The task buffer after the last generation. */
  bufferSize: z.number(),
  bufferMeanDepth: z.number(),
  bufferMaxDepth: z.number(),
  bufferMeanScore: z.number(),
  /** 1 / Σ P² of the next selection; null for strategies that do not draw by weight. */
  effectiveSampleSize: z.number().nullable(),
});

/** table.json of an ablation. */
export const AblationTable = z.strictObject({
  schema: z.literal(1),
  key: z.string(),
  seeds: z.array(z.int()),
  /** Names, in the order they were given; the first is what others are compared with. */
  arms: z.array(z.string()),
  /** By set of problems, then by arm; `untrained` is the policy before training. */
  sets: z.record(z.string(), z.record(z.string(), Comparison)),
  /** Mean reward by generation, of each arm's runs. */
  rewards: z.record(z.string(), z.array(z.array(z.number()))),
  training: z.record(z.string(), Training),
  cost: z.record(z.string(), Cost),
  /** runKeys by arm; null where a run failed. */
  runs: z.record(z.string(), z.array(z.string().nullable())),
});
export type ArmTraining = z.infer<typeof Training>;
export type AblationTable = z.infer<typeof AblationTable>;
