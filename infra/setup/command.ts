import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { InfraProblem } from '../problem.ts';

export interface CommandOptions {
  /** The command is killed after this long. */
  timeoutMs: number;
  env?: Record<string, string>;
  cwd?: string;
  /** Each line the command prints to stderr, as it comes. */
  onLine?: (line: string) => void;
}

/** Runs a command to its end and returns its stdout; an `InfraProblem` quotes the end of its stderr. */
export async function run(command: string, args: string[], options: CommandOptions): Promise<string> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    timeout: options.timeoutMs,
    killSignal: 'SIGKILL',
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const lastLines: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    lastLines.push(line);
    if (lastLines.length > 5) lastLines.shift();
    options.onLine?.(line);
  });
  const name = [command, ...args].join(' ');
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new InfraProblem(`${command} cannot be started: ${error.message}`)));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(stdout);
      else if (signal === 'SIGKILL')
        reject(new InfraProblem(`\`${name}\` was killed; its limit is ${options.timeoutMs / 1000} s`));
      else
        reject(new InfraProblem(`\`${name}\` failed: ${lastLines.join(' ').trim() || `exit code ${code}`}`));
    });
  });
}

/** Path of an executable on PATH, or null. */
export async function onPath(name: string): Promise<string | null> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder === '') continue;
    const file = join(folder, name);
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  return null;
}
