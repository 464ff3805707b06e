import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Lets a running process have only so much more address space than it has now. Linux only. */
export async function limitMemory(pid: number, spareMiB: number): Promise<void> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const now = Number(/^VmSize:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  await promisify(execFile)('prlimit', ['--pid', String(pid), `--as=${now + spareMiB * 2 ** 20}`]);
}
