import {
  Client,
  Connection,
  isGrpcServiceError,
  isGrpcDeadlineError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowExecutionDescription,
  type WorkflowExecutionInfo,
} from '@temporalio/client';
import {
  ApplicationFailure,
  defineSearchAttributeKey,
  NamespaceNotFoundError,
  type TypedSearchAttributes,
} from '@temporalio/common';
import type { RunConfig } from '../workflows/contract/config.ts';
import type { TemporalConnection } from '../infra/services/connection.ts';
import {
  nameOfRun,
  namespace as ourNamespace,
  runKeyOf,
  runStatuses,
  taskQueues,
  type RunStatus,
} from '../workflows/contract/names.ts';
import type { Continuation, RunProgress } from '../workflows/contract/progress.ts';
import { CommandFailure, exitCodes } from './exit.ts';

/** A connection to the Temporal server that the commands work with. */
export interface Temporal {
  client: Client;
  address: string;
  namespace: string;
  /** Page of the Temporal UI; null for a server that is not ours. */
  uiUrl: string | null;
  close(): Promise<void>;
}

/** A run as the Temporal server knows it. */
export interface RunInTemporal {
  workflowId: string;
  runId: string;
  /** Of its first execution: a run continues as new now and then. */
  firstRunId: string;
  runKey: string;
  strategy: string;
  status: RunStatus;
  /** The newest execution is still open. */
  open: boolean;
  generation: number;
  startedAt: Date;
  closedAt: Date | null;
}

const connectTimeoutMs = 5000;
const callTimeoutMs = 10_000;
/** A worker's long poll lasts a minute; one that was not seen for longer is gone. */
const pollerLifeMs = 70_000;

/** Throws within seconds, with what to do, when the server does not answer. */
export async function connectTemporal(settings: TemporalConnection): Promise<Temporal> {
  const { address, namespace, uiUrl, options } = settings;
  try {
    const connection = await Connection.connect({ ...options, address, connectTimeout: connectTimeoutMs });
    return {
      client: new Client({ connection, namespace }),
      address,
      namespace,
      uiUrl,
      close: () => connection.close(),
    };
  } catch (cause) {
    throw unreachable(address, cause);
  }
}

/** The run's page in the Temporal UI, or null when we do not know where the UI is. */
export function pageOf({ uiUrl, namespace }: Temporal, workflowId: string): string | null {
  return uiUrl && `${uiUrl}/namespaces/${namespace}/workflows/${encodeURIComponent(workflowId)}`;
}

/** Runs one call with a deadline; turns Temporal's errors into sentences that say what to do. */
export async function ask<T>(
  temporal: Temporal,
  call: () => Promise<T>,
  timeoutMs = callTimeoutMs,
): Promise<T> {
  try {
    return await temporal.client.withDeadline(Date.now() + timeoutMs, call);
  } catch (error) {
    throw translated(temporal, error);
  }
}

/** Temporal's errors as sentences that say what to do; others as they are. */
export function translated({ address, namespace }: Temporal, error: unknown): unknown {
  if (error instanceof WorkflowNotFoundError) return error;
  if (error instanceof NamespaceNotFoundError)
    return new CommandFailure(
      exitCodes.unreachable,
      `Temporal at ${address} has no namespace '${namespace}': set TEMPORAL_NAMESPACE, or make it there; the local server has '${ourNamespace}'.`,
      { cause: error },
    );
  const grpc = isGrpcServiceError(error)
    ? error
    : error instanceof Error && isGrpcServiceError(error.cause)
      ? error.cause
      : null;
  if (!grpc) return error;
  if (grpc.code === grpcUnavailable || isGrpcDeadlineError(grpc)) return unreachable(address, error);
  return error;
}
const grpcUnavailable = 14;

function unreachable(address: string, cause: unknown): CommandFailure {
  return new CommandFailure(
    exitCodes.unreachable,
    `Temporal does not answer at ${address}: start the local services with \`reiterate up\`, or set TEMPORAL_ADDRESS.`,
    { cause },
  );
}

/**
 * Starts a run under a name that no open or completed run has; with a `continuation`, goes on with one under the name
 * it had.
 */
export async function startRun(
  temporal: Temporal,
  workflowId: string,
  config: RunConfig,
  continuation?: Continuation,
): Promise<RunInTemporal> {
  try {
    await ask(temporal, () =>
      temporal.client.workflow.start('exitRun', {
        taskQueue: taskQueues.run,
        workflowId,
        args: continuation ? [config, continuation] : [config],
        workflowIdConflictPolicy: 'FAIL',
        workflowIdReusePolicy: continuation ? 'ALLOW_DUPLICATE' : 'ALLOW_DUPLICATE_FAILED_ONLY',
        staticSummary: `${config.strategy} on ${config.domain.name}, ${config.generations} generations, seed ${config.seed}`,
      }),
    );
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    throw new CommandFailure(
      exitCodes.conflict,
      `A run named '${workflowId}' exists already: choose another name with --id, or look at it with \`reiterate watch ${workflowId}\`.`,
    );
  }
  return describeRun(temporal, workflowId);
}

/** @throws `CommandFailure` notFound */
export async function describeRun(temporal: Temporal, run: string): Promise<RunInTemporal> {
  const found = await findRun(temporal, run);
  if (!found)
    throw new CommandFailure(
      exitCodes.notFound,
      `No run '${run}' on Temporal at ${temporal.address}: see \`reiterate runs\`.`,
    );
  return found;
}

/** By name (the newest run of that name) or by runKey; null when Temporal knows none. */
export async function findRun(temporal: Temporal, run: string): Promise<RunInTemporal | null> {
  const workflowId = nameOfRun(run);
  try {
    const described = runOf(
      await ask(temporal, () => temporal.client.workflow.getHandle(workflowId).describe()),
    );
    if (run === workflowId || described.runKey === run) return described;
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  if (run === workflowId) return null;
  const all = await listRunsInTemporal(temporal, `ReiterateRun = ${JSON.stringify(run)}`);
  return all[0] ?? null;
}

/** Newest first, one entry a runKey. */
export async function listRunsInTemporal(temporal: Temporal, condition = ''): Promise<RunInTemporal[]> {
  const query = `WorkflowType = 'exitRun'${condition ? ` AND ${condition}` : ''}`;
  const byKey = new Map<string, RunInTemporal>();
  await ask(temporal, async () => {
    for await (const info of temporal.client.workflow.list({ query })) {
      const run = runOf(info);
      const known = byKey.get(run.runKey);
      if (!known || known.startedAt < run.startedAt) byKey.set(run.runKey, run);
    }
  });
  return [...byKey.values()].sort((one, other) => other.startedAt.getTime() - one.startedAt.getTime());
}

/** Also of a workflow that the server itself holds (`temporal workflow pause`), and of one that goes on as another. */
export function isOpen(name: WorkflowExecutionInfo['status']['name']): boolean {
  return name === 'RUNNING' || name === 'PAUSED' || name === 'CONTINUED_AS_NEW';
}

function runOf(info: WorkflowExecutionInfo | WorkflowExecutionDescription): RunInTemporal {
  const attributes = info.typedSearchAttributes;
  return {
    workflowId: info.workflowId,
    runId: info.runId,
    firstRunId: firstRunIdOf(info),
    runKey: attributes.get(attribute.run) ?? runKeyOf(info.workflowId, firstRunIdOf(info)),
    strategy: attributes.get(attribute.strategy) ?? '',
    status: statusOf(info.status.name, attributes),
    open: isOpen(info.status.name),
    generation: attributes.get(attribute.generation) ?? 0,
    startedAt: info.startTime,
    closedAt: info.closeTime ?? null,
  };
}

const attribute = {
  run: defineSearchAttributeKey('ReiterateRun', 'KEYWORD'),
  strategy: defineSearchAttributeKey('ReiterateStrategy', 'KEYWORD'),
  status: defineSearchAttributeKey('ReiterateStatus', 'KEYWORD'),
  generation: defineSearchAttributeKey('ReiterateGeneration', 'INT'),
};

function firstRunIdOf({ raw, runId }: WorkflowExecutionInfo | WorkflowExecutionDescription): string {
  const info = 'workflowExecutionInfo' in raw ? raw.workflowExecutionInfo : raw;
  return (info && 'firstRunId' in info ? info.firstRunId : null) || runId;
}

function statusOf(
  name: WorkflowExecutionInfo['status']['name'],
  attributes: TypedSearchAttributes,
): RunStatus {
  const said = runStatuses.find((status) => status === attributes.get(attribute.status));
  switch (name) {
    case 'RUNNING':
    case 'CONTINUED_AS_NEW':
    case 'PAUSED':
    case 'UNSPECIFIED':
    case 'UNKNOWN':
      return said ?? 'running';
    case 'COMPLETED':
      return said ?? 'completed';
    case 'CANCELLED':
    case 'TERMINATED':
      return 'stopped';
    case 'FAILED':
    case 'TIMED_OUT':
      return 'failed';
  }
}

/** What a closed run ended with. Needs no worker. */
export async function endOf(
  temporal: Temporal,
  run: RunInTemporal,
): Promise<{ progress: RunProgress | null; failure: string | null }> {
  try {
    const handle = temporal.client.workflow.getHandle(run.workflowId, run.runId);
    return { progress: (await ask(temporal, () => handle.result())) as RunProgress, failure: null };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    if (cause instanceof ApplicationFailure)
      return { progress: null, failure: `${cause.type ?? 'failure'}: ${cause.message}` };
    return { progress: null, failure: run.status === 'failed' ? (cause?.message ?? error.message) : null };
  }
}

/** Whether a worker was seen on the workflows' task queue within the last minute. */
export async function workerPolls(temporal: Temporal): Promise<boolean> {
  const { client, namespace } = temporal;
  const workflowQueueType = 1;
  const { pollers } = await ask(temporal, () =>
    client.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: taskQueues.run },
      taskQueueType: workflowQueueType,
    }),
  );
  const seenMs = (pollers ?? []).map(({ lastAccessTime }) => 1000 * Number(lastAccessTime?.seconds ?? 0));
  return seenMs.some((ms) => Date.now() - ms < pollerLifeMs);
}

export const noWorker = 'no worker is running: start one with `reiterate worker`';
