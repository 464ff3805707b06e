import { createHash } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { homePath } from '../infra/home.ts';
import { withLock } from '../infra/lock.mjs';
import { InfraProblem } from '../infra/problem.ts';
import type { Report } from '../infra/problem.ts';
import { onPath, run } from '../infra/setup/command.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const required = join(folder, 'requirements.txt');
const llama = join(folder, 'requirements-llama.txt');
const installTimeoutMs = 60 * 60_000;

/**
 * Path of a Python that has the peers' packages: `REITERATE_BENCH_PYTHON`, else a virtual environment of our own
 * in the cache folder, made the first time (some gigabytes) and found the next.
 */
export async function ensurePython(report: Report): Promise<string> {
  const given = process.env['REITERATE_BENCH_PYTHON'];
  if (given) return given;
  const environment = homePath('bench-venv');
  const python = join(environment, 'bin/python');
  const stampFile = join(environment, 'installed');
  const stamp = createHash('sha256')
    .update(await readFile(required))
    .update(await readFile(llama))
    .digest('hex');
  const complete = () =>
    readFile(stampFile, 'utf8').then(
      (found) => found === stamp,
      () => false,
    );
  const options = { deadlineMs: installTimeoutMs, onWait: (owner: string) => report(`waiting for ${owner}`) };
  await withLock(`${environment}.lock`, options, async () => {
    if (await complete()) return;
    await install(environment, python, report);
    await writeFile(stampFile, stamp);
  });
  return python;
}

async function install(environment: string, python: string, report: Report): Promise<void> {
  const system = await onPath('python3');
  if (system === null)
    throw new InfraProblem(
      'The benchmarks compare with Python programs, and python3 is not installed: install Python 3.11 or newer, ' +
        'or set REITERATE_BENCH_PYTHON to one that has bench/requirements.txt.',
    );
  report(`making a Python environment for the peers in ${environment} (once; about 7 GB)`);
  await rm(environment, { recursive: true, force: true });
  await run(system, ['-m', 'venv', environment], { timeoutMs: 5 * 60_000 });
  const pip = (file: string) =>
    run(python, ['-m', 'pip', 'install', '--no-input', '--requirement', file], {
      timeoutMs: installTimeoutMs,
      onLine: report,
    });
  report(`installing PyTorch, transformers, PEFT and TRL (${required})`);
  await pip(required);
  report('building llama.cpp (some minutes)');
  // Needs a C++ compiler; the other peers are worth having without it, and a missing peer is named in the results.
  await pip(llama).catch((error: unknown) => report(`llama.cpp will be left out: ${String(error)}`));
}
