import type { DrawDynamics, GroupDynamics } from '../curriculum/dynamics.ts';
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

/**
 * A row of rollouts-NN.parquet: one sampled completion. A rollout's rows stand side by side under its id: the answer to
 * its prompt, then those of the turns played after it, each with the prompt and the instance it was sampled from.
 */
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

/**
 * A row of groups.parquet: everything about one completion that an audit needs, and what the update trains on. Grade,
 * reward and advantage are those of its rollout.
 */
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

/**
 * A row of an evaluation's depth-K.parquet: one answer to a held-out problem at depth k, and its grade. Of an episode
 * of several turns it is the last answer; its prompt shows those before.
 */
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

/** A row of a run's dynamics: one generation, as ExIt §5.3 looks at training. Null: there was nothing to measure. */
export interface DynamicsRow extends DrawDynamics, GroupDynamics {
  generation: number;
  /** Steps of the gold solutions; null where the domain has no such number. */
  meanGoldSteps: number | null;
  /** Distinct ones played so far, and how many base tasks there are. */
  instancesSoFar: number;
  baseTasksSoFar: number;
  baseTasks: number;
  /** The task buffer afterwards. */
  bufferSize: number;
  bufferBaseTasks: number;
  bufferMeanDepth: number;
  bufferMaxDepth: number;
  /** Learnability S of its entries. */
  scoreLeast: number | null;
  scoreLowerQuartile: number | null;
  scoreMedian: number | null;
  scoreUpperQuartile: number | null;
  scoreMost: number | null;
  /** Generations since S was measured or inherited. */
  scoreAgeLeast: number | null;
  scoreAgeLowerQuartile: number | null;
  scoreAgeMedian: number | null;
  scoreAgeUpperQuartile: number | null;
  scoreAgeMost: number | null;
  /** 1 / Σ P² of the next selection; null for strategies that do not draw by weight. */
  effectiveSampleSize: number | null;
  meanReward: number;
  meanQuality: number;
  /** Shares: of the answers, cut off; of the groups, without signal, and trained on. */
  truncated: number;
  withoutSignal: number;
  trained: number;
  /** Of the update; null without one. */
  entropy: number | null;
  kl: number | null;
  samplerMismatch: number | null;
  /** Mean d of the rollouts trained on. */
  meanDiversity: number | null;
  /** Means over pairs of the generation's answers, where they were embedded. */
  pairwiseL2: number | null;
  pairwiseCosine: number | null;
}

/** A row of a run's projection: where one embedded answer lies in the plane. */
export interface PointRow {
  rolloutId: string;
  generation: number;
  step: StepKind;
  depth: number;
  family: string;
  quality: number | null;
  reward: number;
  x: number;
  y: number;
}
