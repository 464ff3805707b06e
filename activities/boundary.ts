import { setImmediate } from 'node:timers/promises';
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import { failures, TypedFailure } from '../workflows/contract/failures.ts';
import type { HeartbeatDetails } from '../workflows/contract/progress.ts';
import { assertSmall } from './artifacts/payload.ts';
import type { Call, Progress } from './policy/policy.ts';

const heartbeatMs = 1000;
const longestMessage = 2000;

/**
 * The edge between activities and Temporal: typed failures become `ApplicationFailure`s of the same type, a worker
 * that shuts down hands its work to the next attempt, and no result may be larger than a small payload.
 */
export class Boundary implements ActivityInboundCallsInterceptor {
  async execute(
    input: ActivityExecuteInput,
    next: Next<ActivityInboundCallsInterceptor, 'execute'>,
  ): Promise<unknown> {
    try {
      const result = await next(input);
      assertSmall(result, 'activity result');
      return result;
    } catch (error) {
      throw translate(error);
    }
  }
}

function translate(error: unknown): unknown {
  if (error instanceof TypedFailure) {
    // Failure messages are stored whole in the history: keep them short.
    return ApplicationFailure.create({
      type: error.type,
      message: error.message.slice(0, longestMessage),
      nonRetryable: !failures[error.type].retryable,
    });
  }
  if (error instanceof CancelledFailure && error.message === 'WORKER_SHUTDOWN') {
    return ApplicationFailure.create({
      type: 'WorkerStopping',
      message: 'The worker is shutting down; the step starts again on the next worker.',
      nextRetryDelay: '1s',
    });
  }
  return error;
}

/**
 * Runs long work with heartbeats: one a second, carrying the latest progress. The beat only says that this process
 * lives; a hung engine or grader is found by its own watchdog, which ends the work with a typed failure.
 */
export async function withHeartbeat<T>(
  work: (call: Call & { signal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  const started = performance.now();
  let details: HeartbeatDetails = { phase: 'starting', done: 0, total: 0, tokens: 0, tokensPerSecond: 0 };
  const beat = () => context.heartbeat(details);
  const timer = setInterval(beat, heartbeatMs);
  beat();
  try {
    return await work({
      signal: context.cancellationSignal,
      onProgress: (progress: Progress) => {
        const seconds = (performance.now() - started) / 1000;
        details = { ...progress, tokensPerSecond: Math.round(progress.tokens / Math.max(seconds, 0.001)) };
      },
    });
  } finally {
    clearInterval(timer);
  }
}

/** For long computations: lets heartbeats and the other activities of this worker have the thread for a moment. */
export const breathe = (): Promise<void> => setImmediate();

/** Seconds since `started` (from `performance.now()`), to the millisecond. */
export function secondsSince(started: number): number {
  return Math.round(performance.now() - started) / 1000;
}
