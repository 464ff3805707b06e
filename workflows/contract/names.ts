/** Task queues. One process may serve all three; production runs them apart. */
export const taskQueues = {
  /** Workflows and light activities (sample, score, commit). */
  run: 'reiterate',
  /** One slot per device: iterate, update. No workflows. */
  policy: 'reiterate-policy',
  /** Verifiers and sandboxes. */
  evaluate: 'reiterate-evaluate',
} as const;

export const namespace = 'reiterate';

/** Search attributes that every run sets on itself; registered by `reiterate up` and checked by the worker. */
export const searchAttributes = {
  ReiterateRun: 'KEYWORD',
  ReiterateDomain: 'KEYWORD',
  ReiterateStrategy: 'KEYWORD',
  ReiterateStatus: 'KEYWORD',
  ReiterateGeneration: 'INT',
  ReiterateReward: 'DOUBLE',
  ReiterateBest: 'DOUBLE',
} as const;

/** What a run says of itself in `ReiterateStatus`, one sentence each. */
export const runStatuses = [
  'running', // generations are being made
  'paused', // waits for the `resume` update
  'completed', // made every generation it was asked for
  'stopped', // ended early, after `stopAfterGeneration`
  'failed', // ended with a typed failure
] as const;
export type RunStatus = (typeof runStatuses)[number];
/** `ReiterateStatus` of an execution that continued as new: the run's status is that of its newest execution. */
export const continuedStatus = 'continued';

/** `my-run` + generation 7 → `my-run/gen-0007`. */
export function generationWorkflowId(runId: string, generation: number): string {
  return `${runId}/gen-${padGeneration(generation)}`;
}

/** `my-run` + generation 7 → `my-run/eval-0007`. */
export function evaluationWorkflowId(runId: string, generation: number): string {
  return `${runId}/eval-${padGeneration(generation)}`;
}

/** Four digits, so that ids and keys sort by generation. */
export function padGeneration(generation: number): string {
  return String(generation).padStart(4, '0');
}

/**
 * `runKey` names a run for ever: workflow id + '@' + the last 8 digits of `firstExecutionRunId`. The last, because
 * the first are a clock (UUID version 7), the same for two runs started within a minute.
 */
export function runKeyOf(workflowId: string, firstExecutionRunId: string): string {
  return `${workflowId}@${firstExecutionRunId.slice(-8)}`;
}

/** `my-run@1a2b3c4d` → `my-run`; a name stays as it is. */
export function nameOfRun(run: string): string {
  return run.replace(/@[0-9a-f]{8}$/, '');
}
