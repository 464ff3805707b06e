import { z } from 'zod';
import type { RunConfig } from './config.ts';
import { DomainConfig, heldOutPart, taskCounts, unanswered } from './domain.ts';
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
  for (const [set, domain] of Object.entries(evaluation.sets))
    if (domain) problems.push(...unplayable(domain, evaluation.tasks, `evaluation.sets.${set}`));
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
  // What arms change is the same for every seed.
  problems.push(
    ...incomparable(
      runs.filter(({ seed }) => seed === seeds[0]),
      evaluation,
    ),
  );
  return problems.length > 0
    ? { ok: false, problems }
    : { ok: true, value: { ablation: parsed.value, runs } };
}

/** Why the problems that a domain holds out cannot be played and graded. */
function unplayable(domain: DomainConfig, wanted: number | undefined, path: string): string[] {
  const { tasks, key } = taskCounts(domain).heldOut;
  const open = unanswered(domain, 'heldOut');
  return [
    ...(tasks === 0 || (wanted ?? 0) > tasks
      ? [`${path}.${key}: ${tasks} held-out problems; evaluation.tasks asks for ${wanted ?? 'at least one'}`]
      : []),
    ...(open === null ? [] : [`${path}.heldOut: '${open}' has no answer to be graded against`]),
  ];
}

/** What keeps arms, one run of each, from being compared with each other and with one untrained policy. */
function incomparable(runs: readonly AblatedRun[], evaluation: AblationConfig['evaluation']): string[] {
  const playsOwn = Object.values(evaluation.sets).includes(null);
  const [first, ...others] = runs;
  if (!first) return [];
  const shared = sharedSettings(first.config, evaluation, playsOwn);
  return [
    ...(playsOwn
      ? runs.flatMap(({ arm, config }) => unplayable(config.domain, evaluation.tasks, `arms.${arm}: domain`))
      : []),
    ...others.flatMap(({ arm, config }) =>
      sharedSettings(config, evaluation, playsOwn).flatMap(({ path, value, remedy }, index) =>
        JSON.stringify(value) === JSON.stringify(shared[index]!.value)
          ? []
          : [`arms.${arm}: ${path} is not that of '${first.arm}'; ${remedy}`],
      ),
    ),
  ];
}

/** Settings of a run that decide what its policy plays and how, training aside; what to do when arms differ in one. */
function sharedSettings(
  config: RunConfig,
  evaluation: AblationConfig['evaluation'],
  playsOwn: boolean,
): { path: string; value: unknown; remedy: string }[] {
  const { model, curriculum, sampling, domain } = config;
  const onePolicy = 'all arms are compared with one untrained policy, so make an ablation for each';
  const samePlay = ['samplesPerTask', 'temperature', 'topK', 'topP'] as const;
  return [
    { path: 'model', value: model, remedy: onePolicy },
    { path: 'curriculum.prompts', value: curriculum.prompts, remedy: onePolicy },
    { path: 'sampling.maxNewTokens', value: sampling.maxNewTokens, remedy: onePolicy },
    ...(playsOwn ? ([...samePlay, 'tasks'] as const) : samePlay).flatMap((key) =>
      evaluation[key] === undefined
        ? [
            {
              path: `evaluation.${key}`,
              value: config.evaluation[key],
              remedy: `give all arms one as evaluation.${key} of the ablation`,
            },
          ]
        : [],
    ),
    ...(playsOwn
      ? [
          {
            path: 'domain',
            value: heldOutPart(domain),
            remedy:
              'a set that is null has the held-out problems of each run, so change nothing but the training problems, or give the set a domain',
          },
        ]
      : []),
  ];
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
