import { createLogUpdate } from 'log-update';
import pc from 'picocolors';
import { createObserver, type Snapshot } from './observe.ts';
import { awayMessage, patiently } from './patience.ts';
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

/** Watches a run until it is closed (or `signal` aborts) and returns the last snapshot; progress goes to stderr. */
export async function follow(
  temporal: Temporal,
  run: string,
  options: FollowOptions,
): Promise<Snapshot | null> {
  const observe = patiently(createObserver(temporal, run));
  const screen = options.show === 'live' ? createLogUpdate(process.stderr) : null;
  const clock = () => new Date().toTimeString().slice(0, 8);
  let last: Snapshot | null = null;
  try {
    while (!options.signal?.aborted) {
      const snapshot = await observe();
      if (snapshot) {
        if (options.show === 'lines') newsOf(last, snapshot).forEach((line) => note(`${clock()}  ${line}`));
        screen?.(runView(snapshot, width(), pc).join('\n'));
        options.onSnapshot?.(snapshot);
        last = snapshot;
        if (!snapshot.run.open) {
          if (options.clear) screen?.clear();
          return snapshot;
        }
      } else if (last) screen?.([...runView(last, width(), pc), pc.yellow(awayMessage)].join('\n'));
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
