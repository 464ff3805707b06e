import { WorkflowUpdateFailedError } from '@temporalio/client';
import { findHead } from '../activities/artifacts/manifests.ts';
import type { Store } from '../activities/artifacts/store.ts';
import type { SteeringAnswer } from '../workflows/contract/progress.ts';
import { CommandFailure, exitCodes } from './exit.ts';
import {
  ask,
  describeRun,
  noWorker,
  translated,
  workerPolls,
  type RunInTemporal,
  type Temporal,
} from './temporal.ts';

/** How long a worker may take to answer an update: it may first have to replay the run. */
const answerTimeoutMs = 30_000;

/** Sends an update to a run and waits for the answer of its worker. */
export async function steer(
  temporal: Temporal,
  run: string,
  update: 'pause' | 'resume' | 'stopAfterGeneration',
  generation?: number,
): Promise<SteeringAnswer> {
  const found = await describeRun(temporal, run);
  refuseEnded(found);
  if (!(await workerPolls(temporal)))
    throw new CommandFailure(exitCodes.unreachable, `Nobody can answer, ${noWorker}.`);
  const handle = temporal.client.workflow.getHandle(found.workflowId);
  const answer =
    generation === undefined
      ? handle.executeUpdate<SteeringAnswer, []>(update)
      : handle.executeUpdate<SteeringAnswer, [number]>(update, { args: [generation] });
  try {
    return await within(answer, answerTimeoutMs, `'${found.workflowId}' did not answer '${update}'`);
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError)
      throw new CommandFailure(
        exitCodes.conflict,
        `${update} was refused: ${error.cause?.message ?? error.message}`,
      );
    throw translated(temporal, error);
  }
}

/** Cancels a run at once and waits until it is closed. */
export async function cancelRun(temporal: Temporal, run: string): Promise<RunInTemporal> {
  const found = await describeRun(temporal, run);
  refuseEnded(found);
  const handle = temporal.client.workflow.getHandle(found.workflowId);
  await ask(temporal, () => handle.cancel());
  const deadline = Date.now() + 2 * answerTimeoutMs;
  for (;;) {
    const now = await describeRun(temporal, run);
    if (!now.open) return now;
    if (!(await workerPolls(temporal)))
      throw new CommandFailure(
        exitCodes.unreachable,
        `The run is asked to stop and does so when a worker runs; ${noWorker}.`,
      );
    if (Date.now() > deadline)
      throw new CommandFailure(
        exitCodes.unreachable,
        `'${run}' is asked to stop, but has not ended yet: see \`reiterate watch ${run}\`.`,
      );
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/**
 * What is kept of a run that was cancelled. The record says so: the generation that Temporal knows is the one that was
 * at work.
 */
export async function keptOf(
  store: Store,
  { runKey, status, generation: atWork }: RunInTemporal,
): Promise<SteeringAnswer> {
  const found = await findHead(store, runKey);
  const generation = found?.head.generation ?? 0;
  const kept = found ? `Stopped after generation ${generation}.` : 'Stopped before anything was committed.';
  const lost = atWork > generation ? ` Generation ${atWork} was at work and is not kept.` : '';
  return { status, generation, message: `${kept}${lost}` };
}

function refuseEnded(run: RunInTemporal): void {
  if (!run.open)
    throw new CommandFailure(exitCodes.conflict, `'${run.workflowId}' has ended already (${run.status}).`);
}

async function within<T>(work: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new CommandFailure(
            exitCodes.unreachable,
            `${what} within ${timeoutMs / 1000} s: is its worker busy or gone?`,
          ),
        ),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
