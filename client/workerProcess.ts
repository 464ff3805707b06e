import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CommandFailure, exitCodes } from './exit.ts';
import { note } from './terminal.ts';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));
/** Longer than a worker needs to stop by itself. */
const stopGraceMs = 30_000;
const restartDelayMs = 1000;
/** A worker that dies sooner than this after its start will die again. */
const shortLifeMs = 10_000;

export interface WorkerProcess {
  /** Drains the worker and waits for its end. */
  stop(): Promise<void>;
  /** Rejects when the worker cannot be kept alive; without one the run would wait for ever. */
  failed: Promise<never>;
}

/**
 * A worker in a process of its own, its output in `log`; resolves when it polls. A worker that dies is started
 * again: the run it served goes on from the step it was at.
 */
export async function startWorkerProcess(log: string): Promise<WorkerProcess> {
  let stopping = false;
  let child = await launch(log);
  let giveUp!: (reason: Error) => void;
  const failed = new Promise<never>((_, reject) => (giveUp = reject));
  // Whoever waits for the run hears of it; before that nobody has to.
  failed.catch(() => {});
  const supervise = (watched: ChildProcess, startedMs: number) => {
    const onExit = (code: number | null, signal: NodeJS.Signals | null) => {
      if (stopping) return;
      if (Date.now() - startedMs < shortLifeMs)
        return giveUp(
          new CommandFailure(
            exitCodes.failed,
            `The worker ended again (${signal ?? code}), see ${log}. The run keeps what it has: mend the cause and start \`reiterate worker\`.`,
          ),
        );
      note(`The worker ended (${signal ?? code}), see ${log}; starting it again.`);
      sleep(restartDelayMs)
        .then(() => launch(log))
        .then((next) => {
          child = next;
          if (stopping) child.kill();
          else supervise(child, Date.now());
        })
        .catch(giveUp);
    };
    // It may have ended since it said that it is ready.
    if (hasEnded(watched)) onExit(watched.exitCode, watched.signalCode);
    else watched.once('exit', onExit);
  };
  supervise(child, Date.now());
  return {
    failed,
    async stop() {
      stopping = true;
      if (hasEnded(child)) return;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), stopGraceMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Resolves when the worker says that it is ready. */
async function launch(log: string): Promise<ChildProcess> {
  const output = await open(log, 'a', 0o600);
  try {
    const child = spawn(process.execPath, [...process.execArgv, main, 'worker'], {
      // The channel says when the worker is ready, and its end tells the worker that we are gone.
      stdio: ['ignore', output.fd, output.fd, 'ipc'],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('error', reject);
      child.once('exit', () => {
        readFile(log, 'utf8')
          .catch(() => '')
          .then((text) => {
            const last = text.trimEnd().split('\n').at(-1) ?? '';
            reject(
              new CommandFailure(exitCodes.failed, `The worker did not start; its log ${log} ends: ${last}`),
            );
          }, reject);
      });
    });
    return child;
  } finally {
    await output.close();
  }
}
