import type { RunConfig } from './config.ts';
import type { Head } from './ref.ts';
import type { RunStatus } from './names.ts';

/** The steps of a generation and of an evaluation, in order: activities, and `draft`, which is two of them. */
export const stepNames = [
  'sample',
  'draft',
  'refine',
  'iterate',
  'evaluate',
  'embed',
  'score',
  'update',
  'commit',
  'openEvaluation',
  'pose',
  'summarise',
  'collect',
] as const;
export type StepName = (typeof stepNames)[number];

/** Answer of the `progress` query: where a run stands. Finer progress is in the heartbeats of its activities. */
export interface RunProgress {
  runKey: string;
  status: RunStatus;
  strategy: string;
  /** The generation being made, or the last one made. */
  generation: number;
  generations: number;
  /** Workflow id of the generation or evaluation at work; its own `progress` query tells the step. */
  child: string | null;
  head: Head | null;
  /** Mean reward of the committed generations, the newest thousand; the first is of generation `rewardsFrom`. */
  rewards: number[];
  rewardsFrom: number;
  /** Held-out accuracy at k = 0…K, by the generation evaluated: the first and the newest. */
  evaluations: { generation: number; accuracy: number[] }[];
  failure: string | null;
  /** Why it paused by itself; null when it did not. */
  alarm: string | null;
}

/** What the updates `pause`, `resume` and `stopAfterGeneration` answer. */
export interface SteeringAnswer {
  status: RunStatus;
  generation: number;
  /** A sentence that says what happens now. */
  message: string;
}

/** Answer of the `progress` query of a generation or an evaluation: the step it is at, and how far. */
export interface StepProgress {
  generation: number;
  step: StepName;
  /** Shards (or depths, in an evaluation) finished and in all. */
  done: number;
  total: number;
}

/** Heartbeat details of a long activity. */
export interface HeartbeatDetails {
  phase: string;
  done: number;
  total: number;
  tokens: number;
  tokensPerSecond: number;
}

/** What a run hands to its own next execution, or to a new execution that takes up a dead run. */
export interface Continuation {
  runKey: string;
  head: Head;
  rewards?: number[];
  evaluations?: RunProgress['evaluations'];
  paused?: boolean;
  stopAt?: number;
}

/** Numbers that travel from execution to execution stay small, far below 64 KiB; the record in the store has all. */
export const rewardsKept = 1000;
const evaluationsKept = 200;
/** Of all evaluations kept: one has K + 1. */
const accuraciesKept = 1200;

/** The first evaluation, of the untrained policy, which all others are compared with, and the newest; by generation. */
export function keptEvaluations(evaluations: RunProgress['evaluations']): RunProgress['evaluations'] {
  const [first, ...later] = evaluations;
  if (!first) return [];
  const most = Math.min(evaluationsKept, Math.floor(accuraciesKept / first.accuracy.length));
  return [first, ...later.slice(1 - most)];
}

/**
 * Whether the policy of the newest generation is to be evaluated before the run goes on, and was not: the untrained one,
 * the last one, and those between that the configuration asks for. An earlier execution may have ended before it did.
 */
export function evaluationDue(
  { evaluation: { tasks, every }, generations }: RunConfig,
  generation: number,
  evaluations: RunProgress['evaluations'],
): boolean {
  const asked = generation === 0 || generation >= generations || (every > 0 && generation % every === 0);
  return tasks > 0 && asked && evaluations.at(-1)?.generation !== generation;
}

/** Whether nothing is left of a run to make or to evaluate. */
export function isFinished(config: RunConfig, { head, evaluations = [] }: Continuation): boolean {
  return head.generation >= config.generations && !evaluationDue(config, head.generation, evaluations);
}
