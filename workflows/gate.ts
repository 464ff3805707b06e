import { condition, defineSignal, setHandler } from '@temporalio/workflow';

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
