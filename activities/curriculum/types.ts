/**
 * What the ExIt algorithm talks about. Plain data: a curriculum is one immutable JSON snapshot a generation.
 */

/** One message of a chat. */
export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/**
 * One turn of an episode: what the policy was asked, the latest iterate of its answer (null: not answered yet),
 * and what the environment said to that answer. A history is a list of turns; only latest iterates are kept,
 * never the improve or diverge wrapper they were asked for with (ExIt §5.3).
 */
export interface Turn {
  request: Message[];
  response: string | null;
  feedback: string | null;
}
export type History = Turn[];

/** How a prompt asks: `base` = the turn's own request; `improve`, `diverge` = a self-iteration step on an answer. */
export type StepKind = 'base' | 'improve' | 'diverge';

/** A point to start from: (base task, turn, history, depth k). */
export interface Instance {
  /** sha256 of (baseTaskId, turn, history): the same content is the same instance. */
  id: string;
  baseTaskId: string;
  kind: 'base' | 'selfIteration';
  /** Turn the next step answers, from 0. */
  turn: number;
  /** k of the latest iterate of that turn plus one; 0 when the turn has no answer yet. */
  depth: number;
  /** k of the iterate kept for each earlier turn; absent when there is none. */
  earlierDepths?: number[];
  history: History;
  /** Quality of the history's latest iterate, null when it has none. Needed by improvement rewards. */
  quality: number | null;
  /** Instance and rollout it grew from; null for the start of a base task. */
  parent: { instanceId: string; rolloutId: string } | null;
}

/** An instance in the task buffer, with its learnability S. */
export interface BufferEntry {
  instance: Instance;
  /** Population variance of a group's rewards, in [0, 0.25] (ExIt §4.1). */
  score: number;
  /** Mean quality of the group that S was measured on, in [0, 1]. */
  passRate: number;
  /** True while S is its parent's: its own group has not been seen since. */
  inherited: boolean;
  visits: number;
  /** Of its newest visit: when its own group was played last; null before the first. */
  visitGeneration: number | null;
  firstGeneration: number;
  scoreGeneration: number;
  /** Order of entry among those of one generation. */
  ordinal: number;
}

/** Task buffer + base-task cursor: with the policy, everything a generation starts from. */
export interface Curriculum {
  schema: 2;
  generation: number;
  buffer: BufferEntry[];
  /** Where the seeded, epoched permutation of base tasks stands. */
  cursor: { epoch: number; position: number };
}

/** One prompt of a generation, as drawn: which instance, and what kind of step is taken from it. */
export interface Draw {
  /** Place in the generation's batch, from 0. */
  ordinal: number;
  step: StepKind;
  source: 'taskSet' | 'buffer';
  instance: Instance;
}

/** One finished rollout as `score` sees it. */
export interface Outcome {
  rolloutId: string;
  /** Verified score of the new history, in [0, 1]. */
  quality: number;
  response: string;
  /** What the environment said to the response; absent when it says nothing. */
  feedback?: string | null;
  /** The answered turns played after it, to the end of the episode; absent in single-turn domains. */
  laterTurns?: Turn[];
  /** Only finished answers may become instances (decision: truncated ones are counted, not kept). */
  truncated: boolean;
  /** Of the response, for the diversity bonus; absent without one. */
  embedding?: ArrayLike<number>;
  /** Set when grading failed; the whole group is then dropped as failed. */
  failure: string | null;
}

/** Why a group is not trained on, one sentence each. */
export type DropReason =
  | 'noSignal' // all rewards equal: the advantage is zero everywhere
  | 'overlong' // every rollout is truncated, and such are not trained on
  | 'graderFailed'; // at least one rollout could not be graded

/** One group after scoring: G rollouts of one prompt. */
export interface ScoredGroup {
  ordinal: number;
  instanceId: string;
  step: StepKind;
  dropped: DropReason | null;
  learnability: number;
  meanQuality: number;
  meanReward: number;
  rollouts: {
    rolloutId: string;
    quality: number;
    reward: number;
    /** With the diversity bonus, where there is one. */
    advantage: number;
    /** d; null without a bonus. */
    diversity: number | null;
  }[];
}

/** drawn = trained + withoutSignal + filtered + failed, counted in prompts. */
export interface Conservation {
  drawn: number;
  trained: number;
  withoutSignal: number;
  filtered: Record<string, number>;
  failed: Record<string, number>;
}
