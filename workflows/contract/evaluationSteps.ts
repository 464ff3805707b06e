import { z } from 'zod';
import type { RunConfig } from './config.ts';
import type { DomainConfig } from './domain.ts';
import type { EvaluationRequest } from './evaluation.ts';
import type { Continuation } from './progress.ts';
import { Head, Ref } from './ref.ts';
import type { From, Place, Played } from './steps.ts';

/** Inputs and results of the activities of evaluations, self-improvement and ablations; see `steps.ts`. */

/** Finds the policy to evaluate and fixes what is played. */
export interface OpenEvaluationInput {
  request: EvaluationRequest;
  /** Where the record goes: beside the run's own evaluations, or (absent) where those are. */
  name?: string;
  /** Head of the untrained policy that was made for this; absent when the request names a run. */
  made?: From;
  /** Whether the answers will be graded: every problem must then have a right answer. */
  graded: boolean;
}
export const OpenEvaluationResult = z.strictObject({
  runKey: z.string(),
  head: Head,
  setting: Ref.exactOptional(),
  name: z.string().exactOptional(),
  depth: z.int().nonnegative(),
  samplesPerTask: z.int().positive(),
});
export type OpenEvaluationResult = z.infer<typeof OpenEvaluationResult>;

/** Plans the prompts of one depth, from the answers of the depth before, or those of independent answers. */
export interface PoseInput extends From {
  place: Extract<Place, { kind: 'evaluation' | 'resampling' }>;
  previous: { plan: Ref; rollouts: Ref[] } | null;
}

export interface SummariseInput extends From {
  name?: string;
  depths: Played[];
  /** Independent answers at equal tokens. */
  resampled?: Played;
}
export const SummariseResult = z.strictObject({
  summary: Ref,
  /** Accuracy at k = 0…K. */
  accuracy: z.array(z.number()),
  /** Every answer, a table a depth. */
  rows: z.array(Ref),
});
export type SummariseResult = z.infer<typeof SummariseResult>;

export interface CollectInput extends From {
  name: string;
  depths: Played[];
}
export const CollectResult = z.strictObject({
  /** answers.jsonl */
  answers: Ref,
  problems: z.int(),
  /** Answers that are not as they were at first. */
  changed: z.int(),
});
export type CollectResult = z.infer<typeof CollectResult>;

/** Looks for what the record has of a run already. */
export interface FindRunInput {
  /** Its workflow id. */
  id: string;
  config: RunConfig;
  /** Problems that its policy will play, by name: what is wrong with them is found before any training. */
  sets?: Record<string, DomainConfig>;
}
/** null: nothing of this name and configuration. */
export type FindRunResult = Continuation | null;

/** An evaluation of one policy on one set of problems, kept under the set's name. */
export interface Tabulated {
  set: string;
  runKey: string;
  generation: number;
}
export interface TabulateInput {
  /** Names the record: the workflow id. */
  key: string;
  depth: number;
  seeds: number[];
  /** Names of the sets of problems. */
  sets: string[];
  /** By arm, then by seed in order; null where a run failed. */
  arms: Record<string, (Tabulated[] | null)[]>;
  /** The policy before training; null when it was not played. */
  untrained: Tabulated[] | null;
}
export interface TabulateResult {
  table: Ref;
}

/** What `evaluation` returns: where its record is, and the curve. */
export interface EvaluationResult extends SummariseResult {
  runKey: string;
  generation: number;
  /** Absent when it is the run's own. */
  name?: string;
}

/** What `selfImprove` returns. */
export interface SelfImproveResult extends CollectResult {
  runKey: string;
  generation: number;
  name: string;
}
