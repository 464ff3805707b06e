import { WorkflowExecutionAlreadyStartedError, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { setTimeout as wait } from 'node:timers/promises';
import { taskQueues } from '../workflows/contract/names.ts';
import { CommandFailure, exitCodes } from './exit.ts';
import { onInterrupt } from './interrupt.ts';
import { activitiesOf, query, type ActivityAtWork } from './observe.ts';
import { awayMessage, patiently } from './patience.ts';
import { ask, isOpen, noWorker, pageOf, workerPolls, type Temporal } from './temporal.ts';
import { clock, count, note } from './terminal.ts';

/** A workflow that is not a run: an evaluation, an ablation, a self-improvement. */
export interface Job<Progress> {
  type: string;
  /** Workflow id; one that is at work already is followed instead of started. */
  id: string;
  input: unknown;
  summary: string;
  /** What its `progress` query says, in a line. */
  tell: (progress: Progress) => string;
  /** Starts it anew even when one of its id has completed: for jobs that take up what the record has. */
  again?: boolean;
}

const intervalMs = 1500;

/**
 * Starts a job, or finds the one of its id, and follows it to its end; what is new goes to stderr, a line each. Ctrl-C leaves it at work.
 *
 * @returns its result, or null after Ctrl-C.
 * @throws `CommandFailure` when it failed.
 */
export async function runJob<Result, Progress>(
  temporal: Temporal,
  { type, id, input, summary, tell, again = false }: Job<Progress>,
): Promise<Result | null> {
  const handle = await ask(temporal, () =>
    temporal.client.workflow.start(type, {
      taskQueue: taskQueues.run,
      workflowId: id,
      args: [input],
      staticSummary: summary,
      workflowIdConflictPolicy: 'USE_EXISTING',
      workflowIdReusePolicy: again ? 'ALLOW_DUPLICATE' : 'ALLOW_DUPLICATE_FAILED_ONLY',
    }),
  ).catch((error: unknown) => {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    note(`'${id}' has completed already; this is its result, with the settings it was started with.`);
    return temporal.client.workflow.getHandle(id);
  });
  const page = pageOf(temporal, id);
  note(page ? `${id}: ${page}` : id);
  if (!(await workerPolls(temporal))) note(`It waits: ${noWorker}.`);

  const look = patiently(async () => {
    const { status } = await ask(temporal, () => handle.describe());
    if (!isOpen(status.name)) return { result: (await ask(temporal, () => handle.result())) as Result };
    const progress = await query<Progress>(temporal, id);
    if (!progress) return { line: null };
    return { line: [tell(progress), ...(await activitiesOf(temporal, id)).flatMap(beatOf)].join(' · ') };
  });
  const interrupt = onInterrupt();
  try {
    let told = '';
    while (!interrupt.signal.aborted) {
      const seen = await look();
      if (seen?.result !== undefined) return seen.result;
      const line = seen ? seen.line : awayMessage;
      if (line && line !== told) note(`${clock()}  ${line}`);
      told = line ?? told;
      await wait(intervalMs, undefined, { signal: interrupt.signal }).catch(() => {});
    }
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const cause = error.cause instanceof ApplicationFailure ? error.cause : null;
    throw new CommandFailure(
      cause?.type === 'InvalidRunConfig' ? exitCodes.usage : exitCodes.failed,
      cause ? `${cause.type ?? 'failure'}: ${cause.message}` : (error.cause?.message ?? error.message),
    );
  } finally {
    interrupt.done();
  }
  note(`'${id}' goes on; the same command with --id ${id} follows it again.`);
  return null;
}

function beatOf({ heartbeat }: ActivityAtWork): string[] {
  if (!heartbeat || heartbeat.total === 0) return [];
  return [`${heartbeat.phase} ${count(heartbeat.done)}/${count(heartbeat.total)}`];
}
