import {
  ApplicationFailure,
  CancellationScope,
  defineQuery,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { rootOf } from './child.ts';
import {
  parseAblation,
  type AblatedProgress,
  type AblatedRun,
  type AblationConfig,
  type AblationProgress,
  type AblationResult,
} from './contract/ablation.ts';
import type { DomainConfig } from './contract/domain.ts';
import { isFinished } from './contract/progress.ts';
import type { From } from './contract/steps.ts';
import type { FindRunInput, Tabulated } from './contract/evaluationSteps.ts';
import { evaluation } from './evaluation.ts';
import { exitRun } from './exitRun.ts';
import { runPaused } from './gate.ts';
import { steps } from './policies.ts';

export const ablationProgress = defineQuery<AblationProgress>('progress');

/**
 * Strategies × seeds: every run is a child, so many at a time; then its policy plays every set of problems; at the end
 * all of it stands in one table. What the record already has of a run, from an ablation of this name that ended early
 * or from a run that was started by hand, is taken up, not made again. A run that fails leaves the others alone.
 *
 * @param input an AblationConfig, unvalidated
 */
export async function ablation(input: unknown): Promise<AblationResult> {
  const { workflowId } = workflowInfo();
  const parsed = parseAblation(input, workflowId);
  if (!parsed.ok) throw ApplicationFailure.nonRetryable(parsed.problems.join('\n'), 'InvalidRunConfig');
  const {
    ablation: { arms, seeds, concurrency, evaluation: playing },
    runs,
  } = parsed.value;
  const progress = runs.map(({ id, arm, seed }): AblatedProgress => ({
    id,
    arm,
    seed,
    state: 'waiting',
    failure: null,
  }));
  setHandler(ablationProgress, () => ({ runs: progress }));
  const show = (index: number, state: AblatedProgress['state'], failure: string | null = null) => {
    Object.assign(progress[index]!, { state, failure });
    setCurrentDetails(ablationDetails(progress));
  };

  /** A part of what is done with a run. Its failure is shown, and leaves the others alone. */
  const attempt = async (index: number, work: () => Promise<void>) => {
    try {
      await work();
      show(index, 'done');
    } catch (error) {
      if (isCancellation(error) && CancellationScope.current().consideredCancelled) throw error;
      const { type, message } = rootOf(error);
      show(index, 'failed', `${type ?? 'failure'}: ${message}`);
    }
  };

  setHandler(runPaused, (id, why) => {
    const index = runs.findIndex((run) => run.id === id);
    if (index >= 0) show(index, why === null ? 'training' : 'paused', why);
  });

  const trained: (From | null)[] = runs.map(() => null);
  const evaluated: (Tabulated[] | null)[] = runs.map(() => null);
  await inParallel(runs, concurrency, (run, index) =>
    attempt(index, async () => {
      show(index, 'training');
      trained[index] = await train(run, playing.sets);
      show(index, 'evaluating');
      const { runKey, head } = trained[index];
      evaluated[index] = await playSets(playing, run.id, runKey, head.generation);
    }),
  );
  // The untrained policy is the same in all runs but for the adapter's random start, which changes nothing: once, by the
  // first run that can, so that its answers do not hang on which run ended first. That arms share all else it depends on
  // was checked with the input.
  let untrained: Tabulated[] | null = null;
  for (const [index, run] of runs.entries()) {
    const from = trained[index];
    if (!from || progress[index]!.state === 'failed') continue;
    await attempt(index, async () => {
      show(index, 'evaluating');
      untrained = await playSets(playing, run.id, from.runKey, 0);
    });
    if (untrained) break;
  }
  if (progress.every(({ state }) => state === 'failed'))
    throw ApplicationFailure.nonRetryable(
      `every run failed; the first: ${progress[0]!.failure}`,
      'NothingCompleted',
    );

  const { table } = await steps.tabulate.executeWithOptions(
    { activityId: 'tabulate', summary: 'arms × sets, with intervals' },
    [
      {
        key: workflowId,
        depth: playing.depth,
        seeds,
        sets: Object.keys(playing.sets),
        arms: Object.fromEntries(
          Object.keys(arms).map((arm) => [arm, evaluated.filter((_, index) => runs[index]!.arm === arm)]),
        ),
        untrained,
      },
    ],
  );
  return { table, runs: progress };
}

const childOptions = {
  parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
  workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
};

/** The run from wherever the record has it, to its last generation and the evaluation of it. */
async function train(
  { id, config, arm, seed }: AblatedRun,
  sets: AblationConfig['evaluation']['sets'],
): Promise<From> {
  const find = (input: Pick<FindRunInput, 'sets'> = {}) =>
    steps.findRun.executeWithOptions(
      { activityId: `find-${arm}-${seed}`, summary: 'what the record has of it' },
      [{ id, config, ...input }],
    );
  const others = Object.entries(sets).filter((set): set is [string, DomainConfig] => set[1] !== null);
  let found = await find(others.length > 0 ? { sets: Object.fromEntries(others) } : {});
  const made = await whenClosed(
    async () => {
      if (found && isFinished(config, found)) return null;
      return executeChild(exitRun, {
        ...childOptions,
        workflowId: id,
        staticSummary: `${arm}, seed ${seed}`,
        args: found ? [config, found] : [config],
      });
    },
    async () => {
      found = await find();
    },
  );
  if (made === null) return found!;
  const { runKey, head, status } = made;
  if (status !== 'completed' || !head)
    throw ApplicationFailure.nonRetryable(
      `it was stopped after generation ${head?.generation ?? 0} of ${config.generations}; \`reiterate resume ${id}\`, then start the ablation again`,
      'RunStopped',
    );
  return { runKey, head };
}

const patience = { everySeconds: 15, times: 240 };

/**
 * Starts a child, and waits for an hour while one of its id is still open: a run that was started by hand, or the child
 * of an ablation that was ended just before.
 */
async function whenClosed<Result>(
  start: () => Promise<Result>,
  lookAgain: () => Promise<void> = async () => {},
): Promise<Result> {
  for (let time = 0; ; time++) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError) || time >= patience.times) throw error;
      await sleep(`${patience.everySeconds}s`);
      await lookAgain();
    }
  }
}

/** A policy on every set of problems, one after the other. */
async function playSets(
  { sets, ...playing }: AblationConfig['evaluation'],
  id: string,
  run: string,
  generation: number,
): Promise<Tabulated[]> {
  const tables: Tabulated[] = [];
  for (const [set, domain] of Object.entries(sets) as [string, DomainConfig | null][]) {
    await whenClosed(() =>
      executeChild(evaluation, {
        ...childOptions,
        workflowId: `${id}/${set}-${generation}`,
        staticSummary: `${id} after generation ${generation} on ${set}`,
        args: [{ policy: { run, generation }, name: set, ...(domain && { domain }), ...playing }],
      }),
    );
    tables.push({ set, runKey: run, generation });
  }
  return tables;
}

/** Works on so many items at a time, in order. */
async function inParallel<Item>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item, index: number) => Promise<void>,
): Promise<void> {
  const queue = items.entries();
  await Promise.all(
    Array.from({ length: Math.min(atOnce, items.length) }, async () => {
      for (const [index, item] of queue) await work(item, index);
    }),
  );
}

function ablationDetails(runs: readonly AblatedProgress[]): string {
  const lines = runs.map(
    ({ id, state, failure }) => `${state.padEnd(10)}  ${id}${failure ? `: ${failure}` : ''}`,
  );
  const done = runs.filter(({ state }) => state === 'done').length;
  return [`### ${done} of ${runs.length} runs done`, '', '```', ...lines, '```'].join('\n');
}
