import { ApplicationFailure, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import type { z } from 'zod';
import type { EvaluationRequest } from './contract/evaluation.ts';
import type { StepName, StepProgress } from './contract/progress.ts';
import { runKeyOf } from './contract/names.ts';
import type { Place, Played, PlanResult } from './contract/steps.ts';
import type { OpenEvaluationResult } from './contract/evaluationSteps.ts';
import { parse } from './contract/validate.ts';
import { labelled, playShards, stepProgress } from './generation.ts';
import { steps } from './policies.ts';

/** @throws `InvalidRunConfig` with every problem of the request. */
export function parseRequest<T>(schema: z.ZodType<T>, input: unknown, example: string): T {
  const parsed = parse(schema, input, example);
  if (parsed.ok) return parsed.value;
  throw ApplicationFailure.nonRetryable(parsed.problems.join('\n'), 'InvalidRunConfig');
}

/**
 * Finds the policy that a request names, or makes the untrained one of its configuration: generation 0 of a run of this
 * workflow's name.
 */
export async function open(
  request: EvaluationRequest,
  { graded, ofRun }: { graded: boolean; ofRun: boolean },
): Promise<OpenEvaluationResult> {
  const { workflowId, firstExecutionRunId } = workflowInfo();
  const { config } = request.policy;
  const runKey = runKeyOf(workflowId, firstExecutionRunId);
  const made = config && {
    runKey,
    head: await steps.initialise.executeWithOptions(
      { activityId: 'initialise', summary: 'the untrained policy' },
      [{ runKey, config }],
    ),
  };
  const name = ofRun ? undefined : (request.name ?? workflowId.replace(/[^A-Za-z0-9._-]/g, '-'));
  return steps.openEvaluation.executeWithOptions(
    { activityId: 'openEvaluation', summary: 'which policy, which problems' },
    [{ request, graded, ...(name !== undefined && { name }), ...(made && { made }) }],
  );
}

/** Answers the `progress` query and shows in the Temporal UI how far it is: call what it returns before each step. */
export function showDepths(what: string) {
  let progress: StepProgress = { generation: 0, step: 'openEvaluation', done: 0, total: 1 };
  setHandler(stepProgress, () => progress);
  return ({ head: { generation }, depth: last }: OpenEvaluationResult, step: StepName, depth: number) => {
    progress = { generation, step, done: depth, total: last + 1 };
    setCurrentDetails(`${what} of generation ${generation}: ${step}, depth ${Math.min(depth, last)}/${last}`);
  };
}

/** A part of an evaluation that is played: where it is kept, and what it is called on the timeline. */
export function partOf(opened: OpenEvaluationResult, depth: number | 'resampling') {
  const { name, head, runKey, setting } = opened;
  const { generation } = head;
  const which = { generation, ...(name !== undefined && { name }) };
  const place: Extract<Place, { kind: 'evaluation' | 'resampling' }> =
    depth === 'resampling' ? { kind: depth, ...which } : { kind: 'evaluation', ...which, depth };
  const part = depth === 'resampling' ? depth : `k=${depth}`;
  return {
    from: { runKey, head, ...(setting && { setting }) },
    place,
    label: labelled(`e${generation}-${part.replace('=', '')}`, `eval ${generation} · ${part}`),
  };
}

/** Answers to the prompts of a plan, graded. */
export async function play(
  { from, place, label }: ReturnType<typeof partOf>,
  plan: PlanResult,
  answersPerPrompt: number,
): Promise<Played> {
  const shards = await playShards(from, place, plan, label, answersPerPrompt, () => {});
  return {
    plan: plan.plan,
    rollouts: shards.map(([iterated]) => iterated.rollouts),
    graded: shards.map(([, evaluated]) => evaluated.graded),
  };
}

/** First answers, then K times the improve prompt on the latest iterate, never looking at the reward. */
export async function playDepths(
  opened: OpenEvaluationResult,
  pass: () => Promise<void>,
  at: (step: StepName, depth: number) => void,
): Promise<Played[]> {
  const depths: Played[] = [];
  for (let depth = 0; depth <= opened.depth; depth++) {
    const part = partOf(opened, depth);
    await pass();
    at('pose', depth);
    const plan = await steps.pose.executeWithOptions(
      part.label('pose', depth === 0 ? 'first answers' : 'improve'),
      [{ ...part.from, place: part.place, previous: depths.at(-1) ?? null }],
    );
    await pass();
    at('iterate', depth);
    depths.push(await play(part, plan, depth === 0 ? opened.samplesPerTask : 1));
  }
  return depths;
}
