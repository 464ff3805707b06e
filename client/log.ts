import { pino, stdSerializers, type Logger } from 'pino';
import { clock, duration } from './terminal.ts';

/** A worker's log on stderr: lines for a person at a terminal, JSON elsewhere. */
export function openLog(): Logger {
  const options = {
    base: null,
    serializers: { error: stdSerializers.err, err: stdSerializers.err },
    // Long, and of use to nobody but the server.
    redact: { paths: ['taskToken'], remove: true },
  };
  if (!process.stderr.isTTY) return pino(options, pino.destination({ dest: process.stderr.fd, sync: true }));
  return pino(options, { write: (line: string) => void process.stderr.write(`${legible(line)}\n`) });
}

/** One line of the JSON log as `20:19:23  warn   Activity failed  g7-iterate-2 · attempt 2 · 12s · why`. */
export function legible(line: string): string {
  const { time, level, msg, activityId, workflowId, attempt, durationMs, error } = JSON.parse(line) as {
    time: number;
    level: number;
    msg?: string;
    activityId?: string;
    workflowId?: string;
    attempt?: number;
    durationMs?: number;
    error?: { message?: string };
  };
  const about = [
    activityId ?? workflowId,
    attempt === undefined ? undefined : `attempt ${attempt}`,
    durationMs === undefined ? undefined : duration(durationMs),
    error?.message?.split('\n')[0],
  ].filter((part) => part !== undefined);
  return `${clock(time)}  ${nameOfLevel(level)}  ${[msg ?? '', about.join(' · ')].filter(Boolean).join('  ')}`;
}

function nameOfLevel(level: number): string {
  return (pino.levels.labels[level] ?? String(level)).padEnd(5);
}
