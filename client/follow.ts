import { createLogUpdate } from 'log-update';
import pc from 'picocolors';
import { CommandFailure, exitCodes } from './exit.ts';
import { createObserver, type Snapshot } from './observe.ts';
import type { Temporal } from './temporal.ts';
import { note, width } from './terminal.ts';
import { newsOf, runView } from './view.ts';

export interface FollowOptions {
  /** `live` redraws at a terminal; `lines` says what is new; `quiet` only calls `onSnapshot`. */
  show: 'live' | 'lines' | 'quiet';
  /** Removes the live view when the run is closed: the caller shows the result. */
  clear?: boolean;
  onSnapshot?: (snapshot: Snapshot) => void;
  /** Aborting ends the watching, not the run. */
  signal?: AbortSignal;
}

const liveIntervalMs = 700;
const linesIntervalMs = 1500;
/** How long Temporal may be away before watching gives up. */
const patienceMs = 60_000;

/** Watches a run until it is closed (or `signal` aborts) and returns the last snapshot; progress goes to stderr. */
export async function follow(
  temporal: Temporal,
  run: string,
  options: FollowOptions,
): Promise<Snapshot | null> {
  const observe = createObserver(temporal, run);
  const screen = options.show === 'live' ? createLogUpdate(process.stderr) : null;
  const clock = () => new Date().toTimeString().slice(0, 8);
  let last: Snapshot | null = null;
  let answeredMs = Date.now();
  try {
    while (!options.signal?.aborted) {
      try {
        const snapshot = await observe();
        answeredMs = Date.now();
        if (options.show === 'lines') newsOf(last, snapshot).forEach((line) => note(`${clock()}  ${line}`));
        screen?.(runView(snapshot, width(), pc).join('\n'));
        options.onSnapshot?.(snapshot);
        last = snapshot;
        if (!snapshot.run.open) {
          if (options.clear) screen?.clear();
          return snapshot;
        }
      } catch (error) {
        const away = error instanceof CommandFailure && error.code === exitCodes.unreachable;
        // A server that restarts comes back; one that never answered does not.
        if (!away || last === null || Date.now() - answeredMs > patienceMs) throw error;
        screen?.(
          [...runView(last, width(), pc), pc.yellow('Temporal does not answer; trying again.')].join('\n'),
        );
      }
      await pause(options.show === 'live' ? liveIntervalMs : linesIntervalMs, options.signal);
    }
    return last;
  } finally {
    screen?.done();
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal?.addEventListener('abort', finish);
  });
}
