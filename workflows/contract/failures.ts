/**
 * The closed list of typed failures that cross a Temporal boundary, each with what it means.
 * `retryable` says whether another attempt of the same activity can succeed.
 */
export const failures = {
  InvalidRunConfig: {
    retryable: false,
    means: 'the run configuration is wrong; every problem is named by path',
  },
  ModelUnavailable: { retryable: false, means: 'the model is missing, unreadable or unsupported' },
  EmbedderUnavailable: {
    retryable: false,
    means: 'the model that embeds answers is missing, unreadable or unsupported',
  },
  DeviceUnavailable: { retryable: false, means: 'the worker has no such device, or not the CPUs asked for' },
  ArtifactCorrupt: { retryable: false, means: 'an object does not have the bytes its Ref promises' },
  ArtifactMissing: { retryable: false, means: 'an object that a Ref names is not in the store' },
  ArtifactConflict: { retryable: false, means: 'a step was already committed from other inputs' },
  ArtifactInvalid: {
    retryable: false,
    means: 'a step tried to write a value that an artifact cannot keep',
  },
  StoreUnavailable: { retryable: true, means: 'the object store does not answer' },
  StoreDenied: { retryable: false, means: 'the object store refuses our credentials' },
  ParentNotHead: { retryable: false, means: 'a manifest names a parent that is not the newest generation' },
  ConservationViolated: { retryable: false, means: 'drawn ≠ trained + without signal + filtered + failed' },
  NonFiniteLoss: { retryable: false, means: 'the loss or a gradient is NaN or infinite' },
  EngineCrashed: { retryable: true, means: 'the engine process died; the next attempt starts a new one' },
  EngineOutOfMemory: {
    retryable: true,
    means: 'the engine could not get the memory it needed; the next attempt starts a new one',
  },
  EngineSilent: { retryable: true, means: 'the engine made no progress within its deadline and was killed' },
  GraderUnavailable: { retryable: true, means: 'the grader process could not be started or kept dying' },
  WorkerStopping: { retryable: true, means: 'the worker is shutting down; another one goes on' },
  ServerUnprepared: { retryable: false, means: 'the Temporal server lacks something that runs need' },
  RunStopped: { retryable: false, means: 'a run that others wait for was stopped before its end' },
  NothingCompleted: { retryable: false, means: 'no run of an ablation came to its end' },
  PayloadsTooLarge: { retryable: false, means: 'a step tried to send more than 64 KiB through Temporal' },
} as const;

export type FailureType = keyof typeof failures;

/** Failure types that no retry can mend, for `nonRetryableErrorTypes`. */
export const nonRetryableTypes: FailureType[] = (Object.keys(failures) as FailureType[]).filter(
  (type) => !failures[type].retryable,
);

/**
 * An error with a type from the closed list: what failed, which input, what to do. Pure code throws it; the
 * activity boundary turns it into Temporal's `ApplicationFailure` of the same type.
 */
export class TypedFailure extends Error {
  constructor(
    readonly type: FailureType,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = type;
  }
}
