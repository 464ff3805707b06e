import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  isCancellation,
  log,
  ParentClosePolicy,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import type { RunProgress } from './contract/progress.ts';
import { setPaused, type Line } from './gate.ts';
import { steps } from './policies.ts';

/** Of a generation or evaluation that a run has at work. */
export const childOptions = {
  parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
  // After a reset of the run its old child may still be at work under the same id; the new one replaces it.
  workflowIdReusePolicy: WorkflowIdReusePolicy.TERMINATE_IF_RUNNING,
};

/** Makes the child known; a pause or resume that came while it was being started found nobody to tell. */
export async function childStarted(
  progress: RunProgress,
  tell: Line,
  workflowId: string,
  pausedAtStart: boolean,
): Promise<void> {
  progress.child = workflowId;
  if ((progress.status === 'paused') !== pausedAtStart) await tell(workflowId, setPaused, !pausedAtStart);
}

/** Keeps the closed child's history beside the run: what happened stays known when Temporal forgets it. */
export async function closeChild(progress: RunProgress, summary: string): Promise<void> {
  const workflowId = progress.child;
  progress.child = null;
  if (!workflowId) return;
  try {
    await steps.exportHistory.executeWithOptions({ activityId: `export-${workflowId}`, summary }, [
      { runKey: progress.runKey, workflowId },
    ]);
  } catch (error) {
    if (isCancellation(error)) throw error;
    // A copy for audits: that it cannot be made is no reason to end a run.
    log.warn(`The history of ${workflowId} was not kept`, { reason: rootOf(error).message });
  }
}

/** The typed failure at the bottom of Temporal's wrapping, so that the run's own failure says what happened. */
export function rootOf(error: unknown): ApplicationFailure {
  if ((error instanceof ActivityFailure || error instanceof ChildWorkflowFailure) && error.cause)
    return rootOf(error.cause);
  if (error instanceof ApplicationFailure) return error;
  return ApplicationFailure.fromError(error, { nonRetryable: true });
}
