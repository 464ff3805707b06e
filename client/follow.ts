import { setTimeout as wait } from 'node:timers/promises';
import { createLogUpdate } from 'log-update';
import pc from 'picocolors';
import { createObserver, type Snapshot } from './observe.ts';
import { awayMessage, patiently } from './patience.ts';
import type { Temporal } from './temporal.ts';
import { clock, note, width } from './terminal.ts';
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
      const intervalMs = options.show === 'live' ? liveIntervalMs : linesIntervalMs;
      await wait(intervalMs, undefined, options.signal && { signal: options.signal }).catch(() => {});
    }
    return last;
  } finally {
    screen?.done();
  }
}
