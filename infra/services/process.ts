import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readdir, readFile, rename } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { InfraProblem } from '../problem.ts';
import { run } from '../setup/command.ts';

/** A process, told apart from a later one with the same pid by when it started. */
export interface ProcessId {
  pid: number;
  started: string;
}

export interface Command {
  file: string;
  args: string[];
  env: Record<string, string>;
}

/** Starts a process that outlives us; its output goes to `log`, the log of the start before to `log.1`. */
export async function startDetached(command: Command, log: string): Promise<ProcessId> {
  await rename(log, `${log}.1`).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  const output = await open(log, 'a', 0o600);
  try {
    const child = spawn(command.file, command.args, {
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
      env: { ...process.env, ...command.env },
    });
    await once(child, 'spawn').catch((error: Error) => {
      throw new InfraProblem(`${command.file} cannot be started: ${error.message}`);
    });
    child.unref();
    const pid = child.pid!; // Set once it has spawned.
    return { pid, started: (await startOf(pid)) ?? 'never seen' };
  } finally {
    await output.close();
  }
}

/** Whether this very process is alive. */
export async function isRunning({ pid, started }: ProcessId): Promise<boolean> {
  return (await startOf(pid)) === started;
}

/** Asks a process to stop, waits, and kills it when it does not; at once when it is gone already. */
export async function stopProcess(id: ProcessId, graceMs: number): Promise<'stopped' | 'killed' | 'gone'> {
  if (!(await isRunning(id))) return 'gone';
  signal(id.pid, 'SIGTERM');
  if (await ends(id, graceMs)) return 'stopped';
  signal(id.pid, 'SIGKILL');
  if (await ends(id, 10_000)) return 'killed';
  throw new InfraProblem(`Process ${id.pid} cannot be killed; end it by hand.`);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function ends(id: ProcessId, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  while (Date.now() < deadline) {
    if (!(await isRunning(id))) return true;
    await sleep(50);
  }
  return false;
}

/** When a process started, as text that no other process with this pid has; null when there is none. */
async function startOf(pid: number): Promise<string | null> {
  if (process.platform !== 'linux') {
    const started = await run('ps', ['-o', 'lstart=', '-p', String(pid)], { timeoutMs: 10_000 }).catch(
      () => '',
    );
    return started.trim() === '' ? null : started.trim();
  }
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  // proc(5): after the command in parentheses, field 3 is the state and field 22 the start in ticks since boot.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // Dead, but nobody has asked how it ended. While other threads are still ending, it still holds its ports.
  if (fields[0] === 'Z' && (await readdir(`/proc/${pid}/task`).catch(() => [])).length <= 1) return null;
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
  return `${boot.trim()}/${fields[19]}`;
}
