import { z } from 'zod';

const share = z.number().min(0).max(1);
const positive = z.number().positive();
const count = z.int().positive();

/** Replay of old scores (PLR): this share of the probability goes to entries in proportion to their score's age. */
const staleness = share;

/**
 * Generations after which a score that was not renewed begins to give way to the mean of its base task's newer scores;
 * absent: never.
 */
const maxScoreAge = count.exactOptional();

/**
 * How entries of the task buffer are chosen for another visit, and which of them are kept: one entry a strategy, each a
 * file in activities/curriculum/strategies.
 */
export const SelectionConfig = z.discriminatedUnion('name', [
  /** None: base tasks alone, evenly, and no buffer. */
  z.strictObject({ name: z.literal('uniform') }),
  /** None either: each base task's best draft of the same generation is improved instead (iGRPO). */
  z.strictObject({
    name: z.literal('igrpo'),
    /** N: answers a base task gets, none of them trained on, before the best of them is improved. */
    drafts: count,
  }),
  /** The paper's: P(m) ∝ exp(κ S_m) (ExIt §4.1). */
  z.strictObject({
    name: z.literal('softmax'),
    /** κ ≥ 0. The paper gives none. */
    inverseTemperature: z.number().nonnegative(),
    staleness,
    maxScoreAge,
    /** The turns of one episode share the weight of one instance. */
    perEpisode: z.boolean(),
  }),
  /** P(m) ∝ rank(S_m)^(−1/τ), as in prioritised level replay. */
  z.strictObject({ name: z.literal('plr-rank'), temperature: positive, staleness, maxScoreAge }),
  /** Instances whose pass rate was within a window, some generations ago, each a few times. */
  z.strictObject({
    name: z.literal('prompt-replay'),
    /** The window, both ends included. */
    passRate: z.strictObject({ low: share, high: share }),
    /** Generations an instance rests after a visit. */
    cooldown: z.int().nonnegative(),
    /** Visits until it is replayed no more. */
    maxVisits: count,
  }),
  /** The highest p̂ (1 − p̂) first, with p̂ a moving average of pass rates; what looks settled is tested again. */
  z.strictObject({
    name: z.literal('pr-grpo'),
    /** Weight of the newest pass rate in p̂. */
    smoothing: share,
    /** Generations after which an instance is first in line whatever its p̂. */
    retestAfter: count,
  }),
  /** Pools by the newest pass rate: easy, normal, hard; so much of the draws comes from each of the outer ones. */
  z.strictObject({
    name: z.literal('difficulty-pool'),
    /** A pass rate from here up is easy … */
    easyFrom: share,
    /** … and one up to here hard. */
    hardUpTo: share,
    easyShare: share,
    hardShare: share,
  }),
]);
export type SelectionConfig = z.infer<typeof SelectionConfig>;
export type SelectionOf<Name extends SelectionConfig['name']> = Extract<SelectionConfig, { name: Name }>;

/** How many drafts a prompt gets before its rollouts; null where there is no draft stage. */
export const draftsOf = (selection: SelectionConfig): number | null =>
  selection.name === 'igrpo' ? selection.drafts : null;

/** Whether a task buffer is kept and drawn from. */
export const keepsBuffer = (
  selection: SelectionConfig,
): selection is Exclude<SelectionConfig, { name: 'uniform' | 'igrpo' }> =>
  selection.name !== 'uniform' && selection.name !== 'igrpo';
