import { z } from 'zod';
import type { RunConfig } from './config.ts';
import { DomainConfig, taskCounts, unanswered } from './domain.ts';
import { depth, drawing, tasks } from './evaluation.ts';
import type { Ref } from './ref.ts';
import { withSetting } from './settings.ts';
import { parse, parseRunConfig, type Parsed } from './validate.ts';

/** Part of a workflow id and of a folder's name. It begins with a letter: JSON keeps the order of such names alone. */
const Name = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9._]{0,31}$/, 'a letter, then up to 31 letters, digits, and . _');

/**
 * The same training with some settings changed, several seeds of each, and what became of them on the same problems.
 */
export const AblationConfig = z.strictObject({
  /** A complete run configuration, but for `seed`. */
  base: z.record(z.string(), z.json()),
  /** What each arm changes, by path: `{ "curriculum.selectProbability": 0 }`. The first is what others are compared with. */
  arms: z.record(Name, z.record(z.string(), z.json())),
  seeds: z.array(z.int().nonnegative()).min(1),
  /** Runs and evaluations at the same time. */
  concurrency: z.int().positive(),
  /** The policies of all runs, and the untrained one, play these. */
  evaluation: z.strictObject({
    /** Sets of held-out problems; null: what the runs hold out. */
    sets: z.record(Name, DomainConfig.nullable()),
    depth,
    ...drawing,
    tasks,
  }),
});
export type AblationConfig = z.infer<typeof AblationConfig>;

/** One run of an ablation. */
export interface AblatedRun {
  /** Its workflow id: `<ablation>-<arm>-<seed>`. */
  id: string;
  arm: string;
  seed: number;
  config: RunConfig;
}

/** Checks an ablation and every run in it; seeds in the outer loop, so that each arm has a result early. */
export function parseAblation(
  input: unknown,
  id: string,
): Parsed<{ ablation: AblationConfig; runs: AblatedRun[] }> {
  const parsed = parse(AblationConfig, input, 'presets/ablations/ladder.json');
  if (!parsed.ok) return parsed;
  const { base, arms, seeds, evaluation } = parsed.value;
  const problems: string[] = [];
  if (Object.keys(arms).length === 0) problems.push('arms: give at least one');
  if (Object.keys(evaluation.sets).length === 0) problems.push('evaluation.sets: give at least one');
  if (new Set(seeds).size < seeds.length) problems.push('seeds: a seed stands there twice');
  if (Object.hasOwn(arms, 'untrained'))
    problems.push('arms.untrained: that is the name of the policy before training; choose another');
  for (const [arm, settings] of Object.entries(arms))
    if (Object.hasOwn(settings, 'seed')) problems.push(`arms.${arm}.seed: seeds are the ablation's`);
  for (const [set, domain] of Object.entries(evaluation.sets)) {
    const { tasks, key } = domain ? taskCounts(domain).heldOut : { tasks: Infinity, key: '' };
    if (tasks === 0 || (evaluation.tasks ?? 0) > tasks)
      problems.push(
        `evaluation.sets.${set}.${key}: ${tasks} held-out problems; evaluation.tasks asks for ${evaluation.tasks ?? 'at least one'}`,
      );
    const open = domain && unanswered(domain, 'heldOut');
    if (open) problems.push(`evaluation.sets.${set}.heldOut: '${open}' has no answer to be graded against`);
  }
  const runs = seeds.flatMap((seed) =>
    Object.entries(arms).flatMap(([arm, settings]): AblatedRun[] => {
      const changed = Object.entries({ ...settings, seed }).reduce<unknown>(
        (config, [path, value]) => withSetting(config, path, value),
        base,
      );
      const run = parseRunConfig(changed);
      if (run.ok) return [{ id: `${id}-${arm}-${seed}`, arm, seed, config: run.config }];
      // The same for every seed.
      if (seed === seeds[0]) problems.push(...run.problems.map((problem) => `arms.${arm}: ${problem}`));
      return [];
    }),
  );
  return problems.length > 0
    ? { ok: false, problems }
    : { ok: true, value: { ablation: parsed.value, runs } };
}

/** Where one run of an ablation stands. */
export interface AblatedProgress {
  id: string;
  arm: string;
  seed: number;
  state: 'waiting' | 'training' | 'paused' | 'evaluating' | 'done' | 'failed';
  /** Why it failed, or is paused until somebody resumes or stops it. */
  failure: string | null;
}

/** Answer of an ablation's `progress` query. */
export interface AblationProgress {
  runs: AblatedProgress[];
}

/** What `ablation` returns. */
export interface AblationResult {
  /** table.json */
  table: Ref;
  runs: AblatedProgress[];
}
