import { z } from 'zod';
import { Ref, Sha256 } from '../../workflows/contract/ref.ts';
import { Conservation, DraftMetrics, UpdateMetrics } from '../../workflows/contract/steps.ts';

/** What one generation measured; deterministic, hence part of what the run is. */
export const GenerationMetrics = z.strictObject({
  meanReward: z.number(),
  meanQuality: z.number(),
  /** Mean quality and number of prompts by step kind; absent kinds were not drawn. */
  byStep: z.record(
    z.string(),
    z.strictObject({ prompts: z.int(), meanQuality: z.number(), meanReward: z.number() }),
  ),
  groupsWithSignal: z.int(),
  bufferSize: z.int(),
  bufferMeanDepth: z.number(),
  bufferMaxDepth: z.int(),
  bufferMeanScore: z.number(),
  /** What the selection strategy says of itself, by name. */
  selection: z.record(z.string(), z.number()),
  /** Mean diversity bonus d of the rollouts that were trained on; null without any. */
  meanDiversity: z.number().nullable(),
  /** Of the draft stage, which the other numbers leave out; absent without one. */
  drafts: DraftMetrics.exactOptional(),
  truncated: z.int(),
  promptTokens: z.int(),
  completionTokens: z.int(),
  /** Of the update; null when no group was to be trained on. */
  update: UpdateMetrics.nullable(),
});
export type GenerationMetrics = z.infer<typeof GenerationMetrics>;

/** What the run *is* at one generation. Its canonical JSON is hashed; no clock, no host, no run name. */
export const ManifestContent = z.strictObject({
  schema: z.literal(2),
  generation: z.int().nonnegative(),
  /** Hash of the parent manifest's content; null for generation 0. */
  parent: Sha256.nullable(),
  configHash: Sha256,
  seed: z.int().nonnegative(),
  /** sha256 of the base model: of its GGUF file, or of the list of hashes of its folder's files. */
  model: Sha256,
  /** sha256 of what embeds answers; absent without a diversity bonus, and when it is the base model. */
  embedder: Sha256.optional(),
  policy: Sha256,
  optimizer: Sha256.nullable(),
  reference: Sha256.nullable(),
  curriculum: Sha256,
  /** What the plan was made from; absent without a draft stage. */
  drafts: z
    .strictObject({ plan: Sha256, rollouts: z.array(Sha256), graded: z.array(Sha256) })
    .exactOptional(),
  plan: Sha256.nullable(),
  rollouts: z.array(Sha256),
  graded: z.array(Sha256),
  embeddings: z.array(Sha256),
  groups: Sha256.nullable(),
  metrics: GenerationMetrics.nullable(),
  conservation: Conservation.nullable(),
  /** Hyperparameters changed while the run lived. */
  changes: z.array(z.strictObject({ path: z.string(), from: z.json(), to: z.json() })),
});
export type ManifestContent = z.infer<typeof ManifestContent>;

/** What happened to it: differs between two runs of one config and seed. */
export const ManifestObserved = z.strictObject({
  runKey: z.string(),
  committedAt: z.iso.datetime(),
  host: z.string(),
  processor: z.string(),
  versions: z.record(z.string(), z.string()),
  workflowId: z.string(),
  workflowRunId: z.string(),
  /** Where each artifact of `content` is. */
  artifacts: z.strictObject({
    config: Ref,
    policy: Ref,
    optimizer: Ref.nullable(),
    reference: Ref.nullable(),
    curriculum: Ref,
    drafts: z.strictObject({ plan: Ref, rollouts: z.array(Ref), graded: z.array(Ref) }).exactOptional(),
    plan: Ref.nullable(),
    rollouts: z.array(Ref),
    graded: z.array(Ref),
    embeddings: z.array(Ref),
    groups: Ref.nullable(),
  }),
  /** Seconds each step took, the attempt that committed only. */
  seconds: z.record(z.string(), z.number().nonnegative()),
  /** Largest resident set of the engine's process up to the update's end; null without an update. */
  peakResidentBytes: z.int().nullable(),
});
export type ManifestObserved = z.infer<typeof ManifestObserved>;

/** One generation's record: the only state there is. `hash` is that of `content`. */
export const Manifest = z.strictObject({
  hash: Sha256,
  content: ManifestContent,
  observed: ManifestObserved,
});
export type Manifest = z.infer<typeof Manifest>;
