import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { TypedFailure } from '../../../workflows/contract/failures.ts';

/**
 * Refuses a list of CPUs, such as `0-3,8`, that an engine cannot be pinned to. Throws `DeviceUnavailable`, which names
 * what is wrong with it.
 */
export function demandCpus(list: string): void {
  const refuse = (why: string) => {
    throw new TypedFailure('DeviceUnavailable', `CPUs '${list}': ${why}`);
  };
  if (process.platform !== 'linux')
    refuse(`engines are pinned to CPUs on Linux only, not on ${process.platform}`);
  const wanted = cpusOf(list);
  if (!wanted) return refuse("expected numbers and ranges, such as '0-3,8'");
  const [, own = ''] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  const allowed = new Set(cpusOf(own));
  const foreign = wanted.find((cpu) => !allowed.has(cpu));
  if (foreign !== undefined) refuse(`CPU ${foreign} is not among those of this process (${own})`);
  const { error } = spawnSync('taskset', ['--version']);
  if (error)
    refuse(`pinning needs \`taskset\` (package util-linux), which cannot be started: ${error.message}`);
}

/** The CPUs of a list, null when it is none. */
function cpusOf(list: string): number[] | null {
  const cpus: number[] = [];
  for (const part of list.split(',')) {
    const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part) ?? [];
    if (first === undefined || Number(last) < Number(first)) return null;
    for (let cpu = Number(first); cpu <= Number(last); cpu++) cpus.push(cpu);
  }
  return cpus;
}
