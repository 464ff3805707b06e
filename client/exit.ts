import { InfraProblem } from '../infra/problem.ts';
import { TypedFailure, type FailureType } from '../workflows/contract/failures.ts';

/** Exit codes of every `reiterate` command. */
export const exitCodes = {
  /** Done; for `watch` and `demo`: the run completed. */
  ok: 0,
  /** The run or the operation failed. */
  failed: 1,
  /** Wrong arguments or a wrong configuration; nothing was done. */
  usage: 2,
  /** Temporal, the object store or a worker does not answer, or cannot be set up. */
  unreachable: 3,
  /** No such run, file or model. */
  notFound: 4,
  /** It exists already, or the run is not in a state for it. */
  conflict: 5,
  /** Ctrl-C. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The same, for `reiterate --help`. */
export const exitCodesHelp = `
Exit codes:
  0  done; for watch and demo: the run completed
  1  the run or the operation failed
  2  wrong arguments or a wrong configuration; nothing was done
  3  Temporal, the object store or a worker does not answer, or cannot be set up
  4  no such run, file or model
  5  it exists already, or the run is not in a state for it`;

/** What went wrong and what to do, in words for the person at the terminal; ends the command with `code`. */
export class CommandFailure extends Error {
  constructor(
    readonly code: ExitCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'CommandFailure';
  }
}

const codeOfFailure: Partial<Record<FailureType, ExitCode>> = {
  InvalidRunConfig: exitCodes.usage,
  ModelUnavailable: exitCodes.notFound,
  EmbedderUnavailable: exitCodes.notFound,
  DeviceUnavailable: exitCodes.notFound,
  ArtifactMissing: exitCodes.notFound,
  ArtifactConflict: exitCodes.conflict,
  StoreUnavailable: exitCodes.unreachable,
  StoreDenied: exitCodes.unreachable,
  ServerUnprepared: exitCodes.unreachable,
};

/** The exit code an error deserves. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandFailure) return error.code;
  if (error instanceof TypedFailure) return codeOfFailure[error.type] ?? exitCodes.failed;
  if (error instanceof InfraProblem) return exitCodes.unreachable;
  return exitCodes.failed;
}

/** A message without a stack; with it when `debug` is on (REITERATE_DEBUG). */
export function describeError(error: unknown, debug: boolean): string {
  if (!(error instanceof Error)) return String(error);
  if (debug) return error.stack ?? error.message;
  if (error instanceof TypedFailure) return `${error.type}: ${error.message}`;
  if (error instanceof CommandFailure || error instanceof InfraProblem) return error.message;
  // Nobody foresaw this one: its message may hold a stack of another process.
  return `${error.message.split('\n')[0]} (unexpected; REITERATE_DEBUG=1 shows where)`;
}
