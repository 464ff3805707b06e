import type { Curriculum, Instance, StepKind } from '../curriculum/types.ts';
import type { FinishReason } from '../policy/policy.ts';

/** One prompt of a generation's plan; token ids are fixed here and used as they are from then on. */
export interface PlannedPrompt {
  ordinal: number;
  step: StepKind;
  source: 'taskSet' | 'buffer';
  instanceId: string;
  parentInstanceId: string | null;
  parentRolloutId: string | null;
  baseTaskId: string;
  family: string;
  gold: string;
  turn: number;
  /** k of the answer this prompt asks for: 0 = first answer. */
  depth: number;
  promptText: string;
  promptIds: number[];
  /** Key of each rollout's random stream, 16 hexadecimal digits. */
  seeds: string[];
  /** Where the prompt starts from, history included. */
  instance: Instance;
}

/** The artifact of `sample` and of `pose`: everything `iterate` needs to know. JSON. */
export interface Plan {
  schema: 1;
  generation: number;
  prompts: PlannedPrompt[];
  /** Where the base-task permutation stands after these draws; null in an evaluation, which draws nothing. */
  cursor: Curriculum['cursor'] | null;
}

/** A row of rollouts-NN.parquet: one sampled completion. */
export interface RolloutRow {
  rolloutId: string;
  generation: number;
  ordinal: number;
  rollout: number;
  instanceId: string;
  parentInstanceId: string | null;
  parentRolloutId: string | null;
  baseTaskId: string;
  family: string;
  gold: string;
  step: StepKind;
  source: 'taskSet' | 'buffer';
  turn: number;
  depth: number;
  prompt: string;
  promptIds: number[];
  completion: string;
  completionIds: number[];
  /** Log-prob of each completion token in the distribution it was drawn from; kept as float32. */
  logProbs: number[];
  /** The same before top-k and top-p. */
  policyLogProbs: number[];
  finishReason: FinishReason;
  seed: string;
  /** sha256 of the policy that sampled. */
  policy: string;
}

/** A row of graded-NN.parquet: what the grader said of one rollout. */
export interface GradedRow {
  rolloutId: string;
  quality: number | null;
  verdict: string;
  answer: string | null;
  graderVersion: string;
  /** Set when grading failed. */
  error: string | null;
}

/** A row of embeddings-NN.parquet: where one rollout's answer lies. */
export interface EmbeddingRow {
  rolloutId: string;
  /** Kept as float32. */
  embedding: number[];
}

/** A row of groups.parquet: everything about one rollout that an audit needs, and what the update trains on. */
export interface GroupRow extends RolloutRow, Omit<GradedRow, 'rolloutId'> {
  reward: number;
  /** As trained on: with the diversity bonus, where there is one. */
  advantage: number;
  /** d: what the advantage was multiplied with; null without a bonus. */
  diversity: number | null;
  learnability: number;
  /** Why the group gives no gradient, or null. */
  dropped: string | null;
}

/** A row of an evaluation's depth-K.parquet: one answer to a held-out problem at depth k, and its grade. */
export interface EvaluationRow extends Omit<GradedRow, 'rolloutId'> {
  taskId: string;
  family: string;
  gold: string;
  depth: number;
  /** Which of the answers a problem gets; the same sample is followed from depth to depth. */
  sample: number;
  prompt: string;
  promptIds: number[];
  completion: string;
  completionIds: number[];
  logProbs: number[];
  policyLogProbs: number[];
  finishReason: FinishReason;
  seed: string;
  /** sha256 of the policy that sampled. */
  policy: string;
}
