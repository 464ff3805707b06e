import {
  isGrpcServiceError,
  QueryNotRegisteredError,
  QueryRejectedError,
  ServiceError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { evaluationWorkflowId, generationWorkflowId } from '../workflows/contract/names.ts';
import type { HeartbeatDetails, RunProgress, StepProgress } from '../workflows/contract/progress.ts';
import { CommandFailure, exitCodes } from './exit.ts';
import { ask, describeRun, endOf, workerPolls, type RunInTemporal, type Temporal } from './temporal.ts';

/** The long activity at work, from its heartbeats. */
export interface ActivityAtWork {
  /** `g7-iterate-2`. */
  id: string;
  attempt: number;
  /** Why the attempt before failed. */
  lastFailure: string | null;
  heartbeat: HeartbeatDetails | null;
}

/** What there is to see of a run at one moment. */
export interface Snapshot {
  run: RunInTemporal;
  /** null: no worker answers and none has answered before. */
  progress: RunProgress | null;
  step: StepProgress | null;
  activity: ActivityAtWork | null;
  /** Activities whose attempt before failed. */
  retried: ActivityAtWork[];
  workerPolls: boolean;
  /** Why the run failed; null while it is open and when it did not. */
  failure: string | null;
  elapsedMs: number;
  /** Estimated from the newest generations; null before the first one and at the end. */
  remainingMs: number | null;
}

const queryTimeoutMs = 3000;
/** Generations the estimate of the time left looks back on. */
const estimateFrom = 5;

/** Looks at a run again and again; remembers what does not change, so that a look costs few calls. */
export function createObserver(temporal: Temporal, run: string): () => Promise<Snapshot> {
  let progress: RunProgress | null = null;
  let startedMs: number | null = null;
  const childMs = new Map<string, number>();

  return async () => {
    const found = await describeRun(temporal, run);
    startedMs ??= await firstStartMs(temporal, found);
    const elapsedMs = (found.closedAt?.getTime() ?? Date.now()) - startedMs;
    if (!found.open) {
      const end = await endOf(temporal, found);
      progress = end.progress ?? progress;
      return {
        run: found,
        progress,
        step: null,
        activity: null,
        retried: [],
        workerPolls: true,
        failure: end.failure,
        elapsedMs,
        remainingMs: null,
      };
    }
    const fresh = await query<RunProgress>(temporal, found.workflowId);
    progress = fresh ?? progress;
    const child = progress?.child ?? null;
    const [step, activities] = await Promise.all([
      child ? query<StepProgress>(temporal, child) : null,
      activitiesOf(temporal, child ?? found.workflowId),
    ]);
    const remainingMs = progress ? await estimate(temporal, found.workflowId, progress, step, childMs) : null;
    const polls = fresh !== null || (await workerPolls(temporal));
    return {
      run: found,
      progress,
      step,
      // While the device plays a shard, the answers of the one before are graded: a heartbeat tells more.
      activity: activities.find(({ heartbeat }) => heartbeat !== null) ?? activities[0] ?? null,
      retried: activities.filter(({ attempt, lastFailure }) => attempt > 1 && lastFailure !== null),
      workerPolls: polls,
      failure: null,
      elapsedMs,
      remainingMs,
    };
  };
}

/** The `progress` query of a workflow; null when nobody answers it now. */
export async function query<T>(temporal: Temporal, workflowId: string): Promise<T | null> {
  try {
    const handle = temporal.client.workflow.getHandle(workflowId);
    return await ask(temporal, () => handle.query<T>('progress'), queryTimeoutMs);
  } catch (error) {
    if (isUnanswered(error)) return null;
    throw error;
  }
}

/** A query waits for a worker until its deadline; the child may not exist yet, or no more. */
function isUnanswered(error: unknown): boolean {
  if (error instanceof CommandFailure) return error.code === exitCodes.unreachable;
  return (
    error instanceof WorkflowNotFoundError ||
    error instanceof QueryNotRegisteredError ||
    error instanceof QueryRejectedError ||
    error instanceof ServiceError ||
    isGrpcServiceError(error)
  );
}

/** The activities at work in a workflow, with what their heartbeats say. */
export async function activitiesOf(temporal: Temporal, workflowId: string): Promise<ActivityAtWork[]> {
  const description = await describeQuietly(temporal, workflowId);
  return (description?.raw.pendingActivities ?? []).map((activity) => {
    const payload = activity.heartbeatDetails?.payloads?.[0];
    return {
      id: activity.activityId ?? '',
      attempt: activity.attempt ?? 1,
      lastFailure: activity.lastFailure?.message?.split('\n')[0] ?? null,
      heartbeat: payload ? defaultPayloadConverter.fromPayload<HeartbeatDetails>(payload) : null,
    };
  });
}

async function describeQuietly(temporal: Temporal, workflowId: string) {
  try {
    return await ask(temporal, () => temporal.client.workflow.getHandle(workflowId).describe());
  } catch (error) {
    if (isUnanswered(error)) return null;
    throw error;
  }
}

/** A run continues as new now and then; it began with its first execution. */
async function firstStartMs(temporal: Temporal, run: RunInTemporal): Promise<number> {
  const handle = temporal.client.workflow.getHandle(run.workflowId, run.firstRunId);
  const first = await ask(temporal, () => handle.describe()).catch(() => null);
  return (first?.startTime ?? run.startedAt).getTime();
}

/** Time left: the generations still to make at the pace of the newest ones, and the last evaluation. */
async function estimate(
  temporal: Temporal,
  workflowId: string,
  { generations, generation, rewards, evaluations, child, head }: RunProgress,
  step: StepProgress | null,
  known: Map<string, number>,
): Promise<number | null> {
  const committed = head?.generation ?? 0;
  if (rewards.length === 0 || committed >= generations) return null;
  const spent = async (id: string) => {
    const ms = known.get(id) ?? (await closedMs(temporal, id));
    if (ms !== null) known.set(id, ms);
    return ms;
  };
  const newest = Array.from({ length: Math.min(estimateFrom, committed) }, (_, back) => committed - back);
  const times = await Promise.all(newest.map((number) => spent(generationWorkflowId(workflowId, number))));
  const measured = times.filter((ms) => ms !== null);
  if (measured.length === 0) return null;
  const perGeneration = measured.reduce((sum, ms) => sum + ms, 0) / measured.length;
  const last = evaluations.at(-1);
  const evaluation = last ? ((await spent(evaluationWorkflowId(workflowId, last.generation))) ?? 0) : 0;
  const begun = child && step && generation > committed ? await sinceStartMs(temporal, child) : 0;
  return Math.max(0, perGeneration * (generations - committed) - Math.min(begun, perGeneration) + evaluation);
}

async function closedMs(temporal: Temporal, workflowId: string): Promise<number | null> {
  const description = await describeQuietly(temporal, workflowId);
  return description?.closeTime ? description.closeTime.getTime() - description.startTime.getTime() : null;
}

async function sinceStartMs(temporal: Temporal, workflowId: string): Promise<number> {
  const description = await describeQuietly(temporal, workflowId);
  return description ? Date.now() - description.startTime.getTime() : 0;
}
