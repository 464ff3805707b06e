import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  ContinueAsNew,
  continueAsNew,
  defineQuery,
  defineUpdate,
  isCancellation,
  log,
  setCurrentDetails,
  setHandler,
  startChild,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import { childOptions, childStarted, closeChild, rootOf } from './child.ts';
import type { RunConfig } from './contract/config.ts';
import {
  continuedStatus,
  evaluationWorkflowId,
  generationWorkflowId,
  runKeyOf,
  type RunStatus,
} from './contract/names.ts';
import {
  evaluationDue,
  keptEvaluations,
  rewardsKept,
  type Continuation,
  type RunProgress,
  type SteeringAnswer,
} from './contract/progress.ts';
import { Head } from './contract/ref.ts';
import { draftsOf } from './contract/selection.ts';
import { parseRunConfig } from './contract/validate.ts';
import { runDetails } from './details.ts';
import { evaluation } from './evaluation.ts';
import { openLine, runPaused, setPaused, type Line } from './gate.ts';
import { generation } from './generation.ts';
import { alarmsOf } from './guards.ts';
import { steps } from './policies.ts';

export const progressQuery = defineQuery<RunProgress>('progress');
export const pauseUpdate = defineUpdate<SteeringAnswer>('pause');
export const resumeUpdate = defineUpdate<SteeringAnswer>('resume');
export const stopAfterGenerationUpdate = defineUpdate<SteeringAnswer, [generation?: number]>(
  'stopAfterGeneration',
);

/** Keeps a history short enough to replay quickly and to read. */
const generationsPerExecution = 20;

const attribute = {
  run: defineSearchAttributeKey('ReiterateRun', 'KEYWORD'),
  domain: defineSearchAttributeKey('ReiterateDomain', 'KEYWORD'),
  strategy: defineSearchAttributeKey('ReiterateStrategy', 'KEYWORD'),
  status: defineSearchAttributeKey('ReiterateStatus', 'KEYWORD'),
  generation: defineSearchAttributeKey('ReiterateGeneration', 'INT'),
  reward: defineSearchAttributeKey('ReiterateReward', 'DOUBLE'),
  best: defineSearchAttributeKey('ReiterateBest', 'DOUBLE'),
};

/**
 * One training job: initialises, makes generations one after the other, evaluates, and can be paused, resumed and
 * stopped. Complete when started with nothing but the Temporal CLI: it validates, names, and indexes itself.
 *
 * @param input a RunConfig, unvalidated
 * @param continued where to go on from; absent when a run begins
 */
export async function exitRun(input: unknown, continued?: Continuation): Promise<RunProgress> {
  const parsed = parseRunConfig(input);
  if (!parsed.ok) throw ApplicationFailure.nonRetryable(parsed.problems.join('\n'), 'InvalidRunConfig');
  if (continued && !(continued.runKey && Head.safeParse(continued.head).success))
    throw ApplicationFailure.nonRetryable(
      'a second argument says where a dead run goes on: { "runKey": …, "head": { "generation", "hash", "manifest" } }',
      'InvalidRunConfig',
    );
  const { config } = parsed;
  const { workflowId, firstExecutionRunId } = workflowInfo();
  const progress: RunProgress = {
    runKey: continued?.runKey ?? runKeyOf(workflowId, firstExecutionRunId),
    status: continued?.paused ? 'paused' : 'running',
    strategy: config.strategy,
    generation: continued?.head.generation ?? 0,
    generations: config.generations,
    child: null,
    head: continued?.head ?? null,
    rewards: continued?.rewards ?? [],
    rewardsFrom: (continued?.head.generation ?? 0) - (continued?.rewards?.length ?? 0) + 1,
    evaluations: continued?.evaluations ?? [],
    failure: null,
    alarm: null,
  };
  let stopAt = Math.min(continued?.stopAt ?? Infinity, config.generations);
  const atEnd = () => (progress.head?.generation ?? 0) >= stopAt;
  const show = (status: RunStatus = progress.status) => {
    progress.status = status;
    upsertSearchAttributes([{ key: attribute.status, value: status }]);
    setCurrentDetails(runDetails(progress));
  };
  const tell = openLine();
  /** Whoever waits for this run should know that it waits, too. */
  const tellParent = async (why: string | null) => {
    const { parent } = workflowInfo();
    if (parent) await tell(parent.workflowId, runPaused, workflowId, why);
  };
  const steer = async (paused: boolean) => {
    show(paused ? 'paused' : 'running');
    await tellParent(paused ? 'paused by hand' : null);
    if (progress.child) await tell(progress.child, setPaused, paused);
  };
  const answer = (message: string): SteeringAnswer => ({
    status: progress.status,
    generation: progress.generation,
    message,
  });

  setHandler(progressQuery, () => progress);
  setHandler(pauseUpdate, async () => {
    if (progress.status === 'running') await steer(true);
    return answer('Paused: the step at work is finished, the next one waits for `resume`.');
  });
  setHandler(resumeUpdate, async () => {
    if (progress.status === 'paused') {
      progress.alarm = null;
      await steer(false);
    }
    return answer('Running.');
  });
  setHandler(
    stopAfterGenerationUpdate,
    async (last?: number) => {
      stopAt = Math.min(last ?? progress.generation, config.generations);
      const end = `The run ends after generation ${stopAt}${atEnd() ? '' : ' is committed'}`;
      if (progress.status !== 'paused') return answer(`${end}.`);
      if (stopAt > progress.generation) return answer(`${end}, once it is resumed.`);
      // Only its end is left to come, and whoever asks for that does not want to wait for it.
      await steer(false);
      return answer(`${end}; it is no longer paused.`);
    },
    {
      validator: (last?: number) => {
        if (last !== undefined && (!Number.isInteger(last) || last < progress.generation))
          throw new Error(
            `stopAfterGeneration takes a generation number ≥ ${progress.generation}, the one at work; got ${JSON.stringify(last)}`,
          );
      },
    },
  );

  upsertSearchAttributes([
    { key: attribute.run, value: progress.runKey },
    { key: attribute.domain, value: config.domain.name },
    { key: attribute.strategy, value: config.strategy },
    { key: attribute.generation, value: progress.generation },
  ]);
  upsertMemo({
    runKey: progress.runKey,
    seed: config.seed,
    model: config.model,
    generations: config.generations,
  });
  show();

  try {
    progress.head ??= await steps.initialise.executeWithOptions(
      { activityId: 'initialise', summary: 'first policy, empty task buffer, generation 0' },
      [{ runKey: progress.runKey, config }],
    );
    const evaluateIfDue = async () => {
      const newest = progress.head?.generation ?? 0;
      if (evaluationDue(config, newest, progress.evaluations)) await evaluate(config, progress, tell);
    };
    await evaluateIfDue();

    for (let made = 0; ; made++) {
      // A pause holds back the next generation, not the end; a last evaluation waits at a gate of its own.
      await condition(() => progress.status !== 'paused' || atEnd());
      // Looked at after the pause: `stopAfterGeneration` may have come during it.
      if (atEnd()) break;
      if (made > 0 && (made >= generationsPerExecution || workflowInfo().continueAsNewSuggested)) {
        await condition(allHandlersFinished);
        const { runKey, head, rewards, evaluations, status } = progress;
        const carried = { runKey, head, rewards, evaluations, paused: status === 'paused' };
        // Else a list of running runs would name this execution for ever, beside the one that goes on.
        upsertSearchAttributes([{ key: attribute.status, value: continuedStatus }]);
        await continueAsNew<typeof exitRun>(
          config,
          stopAt < config.generations ? { ...carried, stopAt } : carried,
        );
      }
      const alarms = await makeGeneration(config, progress, progress.head, tell);
      show();
      await evaluateIfDue();
      if (alarms.length === 0) continue;
      progress.alarm = alarms.join('; ');
      log.warn(`Alarm: ${progress.alarm}`);
      if (atEnd()) break;
      show('paused');
      await tellParent(progress.alarm);
    }
    if (progress.evaluations.at(-1)?.generation !== progress.head.generation)
      await evaluate(config, progress, tell);
  } catch (error) {
    // How the SDK leaves this execution for the next one: not a failure.
    if (error instanceof ContinueAsNew) throw error;
    // A child that somebody cancelled by itself is a failure of the run.
    if (isCancellation(error) && CancellationScope.current().consideredCancelled) {
      show('stopped');
      throw error;
    }
    const failure = rootOf(error);
    progress.failure = `${failure.type ?? 'failure'}: ${failure.message}`;
    show('failed');
    throw failure;
  }
  show(progress.head.generation < config.generations ? 'stopped' : 'completed');
  await condition(allHandlersFinished);
  return progress;
}

/** Returns what is wrong with it. */
async function makeGeneration(
  config: RunConfig,
  progress: RunProgress,
  head: Head,
  tell: Line,
): Promise<string[]> {
  const number = head.generation + 1;
  const drafts = draftsOf(config.curriculum.selection);
  const paused = progress.status === 'paused';
  progress.generation = number;
  upsertSearchAttributes([{ key: attribute.generation, value: number }]);
  const child = await startChild(generation, {
    ...childOptions,
    workflowId: generationWorkflowId(workflowInfo().workflowId, number),
    staticSummary: `generation ${number} of ${config.generations}`,
    args: [
      {
        from: { runKey: progress.runKey, head },
        generation: number,
        rolloutsPerPrompt: config.sampling.rolloutsPerPrompt,
        ...(drafts !== null && { drafts }),
        ...(config.curriculum.diversityBonus && { embeds: true }),
        paused,
      },
    ],
  });
  await childStarted(progress, tell, child.workflowId, paused);
  const committed = await child.result();
  progress.head = committed.head;
  progress.rewards.push(committed.meanReward);
  const alarms = alarmsOf(config.guards, committed, progress.rewards);
  if (progress.rewards.length > rewardsKept) {
    progress.rewards.shift();
    progress.rewardsFrom++;
  }
  upsertSearchAttributes([
    { key: attribute.reward, value: committed.meanReward },
    { key: attribute.best, value: Math.max(...progress.rewards) },
  ]);
  await closeChild(progress, `history of generation ${number}`);
  return alarms;
}

async function evaluate(config: RunConfig, progress: RunProgress, tell: Line): Promise<void> {
  const { head } = progress;
  if (!head || config.evaluation.tasks === 0) return;
  const paused = progress.status === 'paused';
  const child = await startChild(evaluation, {
    ...childOptions,
    workflowId: evaluationWorkflowId(workflowInfo().workflowId, head.generation),
    staticSummary: `evaluation of generation ${head.generation}, k = 0…${config.evaluation.depth}`,
    args: [{ policy: { run: progress.runKey, generation: head.generation } }, { paused }],
  });
  await childStarted(progress, tell, child.workflowId, paused);
  const { accuracy } = await child.result();
  progress.evaluations = keptEvaluations([
    ...progress.evaluations,
    { generation: head.generation, accuracy },
  ]);
  await closeChild(progress, `history of evaluation ${head.generation}`);
}
