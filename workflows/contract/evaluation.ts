import { z } from 'zod';
import { RunConfig } from './config.ts';
import { DomainConfig } from './domain.ts';
import { Ref } from './ref.ts';

const count = z.int().positive();
export const depth = z.int().nonnegative().max(64);

/** Which policy: of a run after a generation, or the untrained one of a configuration. */
const PolicyOf = z
  .strictObject({
    /** Name of a run (its newest), or a runKey. */
    run: z.string().min(1).optional(),
    /** After which generation; the newest when left out. 0 is the untrained policy. */
    generation: z.int().nonnegative().optional(),
    config: RunConfig.optional(),
  })
  .refine(({ run, config }) => (run === undefined) !== (config === undefined), {
    message: 'it needs either `run` or `config`',
  });

/** Problems of one's own, in the store: one JSON object { id, question, answer } a line. */
const ProblemFile = z.strictObject({
  file: Ref,
  /** Follows every question; null: nothing does. */
  instruction: z.string().min(1).nullable(),
});
export type ProblemFile = z.infer<typeof ProblemFile>;

/** How answers are drawn. What is left out is as in the policy's own configuration. */
export const drawing = {
  samplesPerTask: count.optional(),
  /** 0: always the likeliest token. */
  temperature: z.number().nonnegative().optional(),
  topK: count.nullable().optional(),
  topP: z.number().positive().max(1).nullable().optional(),
};

/** Only the first so many problems. */
export const tasks = count.optional();

/** Also plays independent answers at equal tokens: resampling, majority vote, best of n. */
export const baselines = z.boolean().optional();

const playing = {
  /** Names the record, `evaluations/<generation>-<name>/` of the run; the workflow's id when left out. */
  name: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'up to 64 letters, digits, and . _ -')
    .optional(),
  policy: PolicyOf,
  /** K: self-iteration steps after the first answer. */
  depth: depth.optional(),
  ...drawing,
  maxNewTokens: count.max(8192).optional(),
  /** Of everything random in it; the run's own when left out. */
  seed: z.int().nonnegative().optional(),
};

/** The input of the workflow `evaluation`: K-step self-improvement of any policy on any held-out problems (ExIt §5.3). */
export const EvaluationRequest = z
  .strictObject({
    ...playing,
    /** The problems held out of this domain; those of the run's own when left out. */
    domain: DomainConfig.optional(),
    problems: ProblemFile.optional(),
    tasks,
    baselines,
  })
  .refine(({ domain, problems }) => domain === undefined || problems === undefined, {
    message: 'either `domain` or `problems`',
    path: ['problems'],
  });
export type EvaluationRequest = z.infer<typeof EvaluationRequest>;

/** The input of the workflow `selfImprove`: problems in, answers out that the policy improved K times. */
export const SelfImproveRequest = z.strictObject({ ...playing, problems: ProblemFile });
export type SelfImproveRequest = z.infer<typeof SelfImproveRequest>;
