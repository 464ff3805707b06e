import { proxyActivities, type ActivityOptions } from '@temporalio/workflow';
import { nonRetryableTypes } from './contract/failures.ts';
import { taskQueues } from './contract/names.ts';
import type { Activities } from './contract/activities.ts';

/** Typed failures that no attempt can mend end the run at once; everything else is tried again. */
const retry = (maximumAttempts: number) => ({
  initialInterval: '1s',
  backoffCoefficient: 2,
  maximumInterval: '30s',
  maximumAttempts,
  nonRetryableErrorTypes: nonRetryableTypes,
});

/**
 * `device`: sampling and training. May take hours, so liveness is the heartbeat, which follows the engine's own
 * progress. Many attempts, because a worker that stops or dies consumes one and the step starts over exactly.
 */
const deviceOptions: ActivityOptions = {
  taskQueue: taskQueues.policy,
  startToCloseTimeout: '24 hours',
  heartbeatTimeout: '10s',
  retry: retry(50),
};

/** `sandbox`: grading in processes that get killed. Heartbeats by item; a bad item is a row, not a failure. */
const sandboxOptions: ActivityOptions = {
  taskQueue: taskQueues.evaluate,
  startToCloseTimeout: '6 hours',
  heartbeatTimeout: '10s',
  retry: retry(20),
};

/**
 * `storage`: pure computation between a read and a write of the artifact store. Minutes at most; outages of the
 * store or of the worker are waited out for about half an hour.
 */
const storageOptions: ActivityOptions = {
  taskQueue: taskQueues.run,
  startToCloseTimeout: '10 minutes',
  // Longer than the others': encoding a large table or opening a tokenizer holds up the worker's thread.
  heartbeatTimeout: '30s',
  retry: retry(70),
};

const device = proxyActivities<Activities>(deviceOptions);
const sandbox = proxyActivities<Activities>(sandboxOptions);
const storage = proxyActivities<Activities>(storageOptions);

/** Every activity with its retry class; workflows call `steps.sample.executeWithOptions(label, [input])`. */
export const steps = {
  initialise: device.initialise,
  sample: storage.sample,
  iterate: device.iterate,
  evaluate: sandbox.evaluate,
  refine: storage.refine,
  embed: device.embed,
  score: storage.score,
  update: device.update,
  commit: storage.commit,
  openEvaluation: storage.openEvaluation,
  pose: storage.pose,
  summarise: storage.summarise,
  collect: storage.collect,
  findRun: storage.findRun,
  tabulate: storage.tabulate,
  exportHistory: storage.exportHistory,
};
