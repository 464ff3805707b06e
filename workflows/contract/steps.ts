import { z } from 'zod';
import type { RunConfig } from './config.ts';
import { Head, Ref } from './ref.ts';

/**
 * Inputs and results of a generation's activities. They hold Refs and the few numbers a person wants to see in the
 * Temporal UI; everything else is in the artifacts. Results are zod schemas because a step's committed record
 * is read back from the store before any work is done (invariant 1).
 */

/** Which run, and from which committed state a step starts. */
export interface From {
  runKey: string;
  head: Head;
  /** What an evaluation plays otherwise than the run's configuration says; absent when nothing. */
  setting?: Ref;
}

/** Prompts [first, first + count) of a plan, played by one `iterate` and graded by one `evaluate`. */
export const Shard = z.strictObject({
  ordinal: z.int().nonnegative(),
  first: z.int().nonnegative(),
  count: z.int().positive(),
});
export type Shard = z.infer<typeof Shard>;

/** Evaluations besides a run's own have a name. */
const evaluated = { generation: z.int(), name: z.string().exactOptional() };

/**
 * Where a plan and what follows from it are kept: a generation's folder, that of its drafts, a depth of an evaluation,
 * or its independent answers.
 */
export const Place = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('generation'), generation: z.int() }),
  z.strictObject({ kind: z.literal('drafts'), generation: z.int() }),
  z.strictObject({ kind: z.literal('evaluation'), ...evaluated, depth: z.int().nonnegative() }),
  z.strictObject({ kind: z.literal('resampling'), ...evaluated }),
]);
export type Place = z.infer<typeof Place>;

const seconds = z.number().nonnegative();
const Counts = z.record(z.string(), z.int().nonnegative());

export const Conservation = z.strictObject({
  drawn: z.int(),
  trained: z.int(),
  withoutSignal: z.int(),
  filtered: Counts,
  failed: Counts,
});
export type Conservation = z.infer<typeof Conservation>;

/** What one update did; see `UpdateMetrics` of the policy engine. */
export const UpdateMetrics = z.strictObject({
  loss: z.number(),
  gradientNorm: z.number(),
  kl: z.number(),
  negativeLogProb: z.number(),
  entropy: z.number(),
  clippedLow: z.number(),
  clippedHigh: z.number(),
  importanceWeight: z.number(),
  importanceCapped: z.number(),
  samplerMismatch: z.number(),
  largestMismatch: z.number(),
  trainedTokens: z.int(),
  processedTokens: z.int(),
  steps: z.int(),
  checkpointedPasses: z.int(),
});

export interface InitialiseInput {
  runKey: string;
  config: RunConfig;
}

export const PlanResult = z.strictObject({
  plan: Ref,
  shards: z.array(Shard),
  /** Prompts by step kind. */
  prompts: z.record(z.string(), z.int()),
  promptTokens: z.int(),
  seconds,
});
export type PlanResult = z.infer<typeof PlanResult>;

export interface IterateInput extends From {
  place: Place;
  plan: Ref;
  shard: Shard;
}
export const IterateResult = z.strictObject({
  rollouts: Ref,
  completions: z.int(),
  completionTokens: z.int(),
  truncated: z.int(),
  seconds,
  tokensPerSecond: z.number().nonnegative(),
});
export type IterateResult = z.infer<typeof IterateResult>;

export interface EvaluateInput extends From {
  place: Place;
  plan: Ref;
  shard: Shard;
  rollouts: Ref;
}
export const EvaluateResult = z.strictObject({
  graded: Ref,
  meanQuality: z.number(),
  failed: z.int(),
  seconds,
});
export type EvaluateResult = z.infer<typeof EvaluateResult>;

/** A plan that was played and graded, by shard. */
export interface Played {
  plan: Ref;
  rollouts: Ref[];
  graded: Ref[];
}

/** Plans the refinements of a generation from its graded drafts. */
export interface RefineInput extends From, Played {
  generation: number;
}
/** What the draft stage came to; its answers are not trained on. */
export const DraftMetrics = z.strictObject({
  /** Of all drafts, and of the drafts that are improved. */
  meanQuality: z.number(),
  meanBestQuality: z.number(),
  /** Prompts with a draft to improve; the others are played as they are. */
  refined: z.int(),
  truncated: z.int(),
  failed: z.int(),
  promptTokens: z.int(),
  completionTokens: z.int(),
});
export type DraftMetrics = z.infer<typeof DraftMetrics>;
export const RefineResult = PlanResult.extend({ drafts: DraftMetrics });
export type RefineResult = z.infer<typeof RefineResult>;

export interface EmbedInput extends From {
  place: Place;
  shard: Shard;
  rollouts: Ref;
}
export const EmbedResult = z.strictObject({ embeddings: Ref, answers: z.int(), seconds });
export type EmbedResult = z.infer<typeof EmbedResult>;

export interface ScoreInput extends From {
  generation: number;
  plan: Ref;
  rollouts: Ref[];
  graded: Ref[];
  /** By shard; none without a diversity bonus. */
  embeddings: Ref[];
}
export const ScoreResult = z.strictObject({
  groups: Ref,
  curriculum: Ref,
  meanReward: z.number(),
  groupsWithSignal: z.int(),
  /** In prompts: drawn = trained + without signal + filtered + failed (invariant 5). */
  conservation: Conservation,
  /** The task buffer after this generation. */
  buffer: z.strictObject({ size: z.int(), meanDepth: z.number(), maxDepth: z.int(), meanScore: z.number() }),
  /** What the selection strategy says of itself, by name. */
  selection: z.record(z.string(), z.number()),
  /** Mean diversity bonus d of the rollouts that are trained on; null without any. */
  meanDiversity: z.number().nullable(),
  seconds,
});
export type ScoreResult = z.infer<typeof ScoreResult>;

export interface UpdateInput extends From {
  generation: number;
  plan: Ref;
  groups: Ref;
}
export const UpdateStepResult = z.strictObject({
  policy: Ref,
  optimizer: Ref.nullable(),
  reference: Ref.nullable(),
  /** null: no group was to be trained on, so the policy stays as it is. */
  metrics: UpdateMetrics.nullable(),
  /** Largest resident set of the engine's process up to the update's end; null without an update. */
  peakResidentBytes: z.int().nullable(),
  seconds,
});
export type UpdateStepResult = z.infer<typeof UpdateStepResult>;

export interface CommitInput extends From, Played {
  generation: number;
  /** Of the draft stage; absent without one. */
  drafts?: Played & { metrics: DraftMetrics };
  embeddings: Ref[];
  score: ScoreResult;
  update: UpdateStepResult;
  /** Seconds by step, summed over shards. */
  seconds: Record<string, number>;
}
export const CommitResult = z.strictObject({
  head: Head,
  meanReward: z.number(),
  /** Of the answers, cut off; of the prompts, not graded; mean |learner − sampler| log-prob, null without an update. */
  truncatedShare: z.number(),
  failedShare: z.number(),
  mismatch: z.number().nullable(),
  summary: z.string(),
});
export type CommitResult = z.infer<typeof CommitResult>;
