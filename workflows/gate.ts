import {
  condition,
  defineSignal,
  getExternalWorkflowHandle,
  setHandler,
  type SignalDefinition,
} from '@temporalio/workflow';

/** Sent by a run to the generation or evaluation at work, so that a pause takes hold between two steps. */
export const setPaused = defineSignal<[boolean]>('setPaused');

/** Sent by a run to the workflow that made it, when it pauses (and why), and when it goes on (null). */
export const runPaused = defineSignal<[run: string, why: string | null]>('runPaused');

/** Returns `pass`, which waits while the workflow is paused. Call it before each step. */
export function openGate(pausedAtStart: boolean): () => Promise<void> {
  let paused = pausedAtStart;
  setHandler(setPaused, (value) => {
    paused = value;
  });
  return () => condition(() => !paused);
}

/**
 * Returns `tell`, which signals another workflow. Of two signals that are under way together the later may arrive
 * first, and it is the last to arrive that counts: so each leaves when the one before it has arrived. A workflow that
 * has just closed has nothing left to be told.
 */
export function openLine() {
  let arrived: Promise<void> = Promise.resolve();
  return <Args extends unknown[]>(
    workflowId: string,
    signal: SignalDefinition<Args>,
    ...args: Args
  ): Promise<void> => {
    arrived = arrived
      .then(() => getExternalWorkflowHandle(workflowId).signal(signal, ...args))
      .catch(() => {});
    return arrived;
  };
}

export type Line = ReturnType<typeof openLine>;
