import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { homePath } from '../home.ts';
import { InfraProblem, type Report } from '../problem.ts';
import { onPath, run } from './command.ts';
import { download } from './download.ts';
import { givenFile } from './given.ts';
import { obtain, type Source } from './obtain.ts';

/** The last commit of MinIO's archived repository, with the checksum of the Go module. */
const module = {
  path: 'github.com/minio/minio',
  version: 'v0.0.0-20260212201848-7aac2a2c5b7c',
  sum: 'h1:/qdoYujxF5MBLDMVLeiYJ/7fBa1HikX39Dvzb9Ji8pA=',
};

/** The last release with binaries. MinIO took them and its container images off its own sites; these remain. */
const release = {
  name: 'RELEASE.2025-09-07T16-13-09Z',
  day: '20250907',
  sha256: {
    'linux-amd64': '7c5bd8512c6e966455b1d198209358b2d191c77a83ab377c4073281065fb855f',
    'linux-arm64': '5c83cd2cf151717ba0243f73e1c7802ff36e272b67144bdd7f1f7d684fd6f03d',
    'darwin-arm64': '7c3b3039b76e55a1b80935848ed83998d5e8d317374f87851f46a019ff5c0aa4',
  } as Record<string, string>,
};

const reportEveryMs = 10_000;

const goInstall: Source = {
  name: `go install (${module.path}@${module.version})`,
  async fetch(workspace, report) {
    const go = await onPath('go');
    if (go === null) throw new InfraProblem('Go is not installed');
    // Also where the user's settings switch off the public checksum database, these bytes and no others.
    const info = await run(go, ['mod', 'download', '-json', `${module.path}@${module.version}`], {
      cwd: workspace,
      timeoutMs: 5 * 60_000,
    });
    const { Sum: sum } = JSON.parse(info) as { Sum: string };
    if (sum !== module.sum) throw new InfraProblem(`the module has checksum ${sum} instead of ${module.sum}`);
    report('building it with go install, about two minutes');
    const bin = join(workspace, 'bin');
    await mkdir(bin);
    await withProgress(report, (onLine) =>
      run(go, ['install', '-v', '-ldflags=-s -w', `${module.path}@${module.version}`], {
        // MinIO's own builds are without cgo too; so nobody needs a C compiler.
        env: { GOBIN: bin, GOFLAGS: '', CGO_ENABLED: '0' },
        timeoutMs: 15 * 60_000,
        onLine,
      }),
    );
    return join(bin, 'minio');
  },
};

/** Tells every few seconds how far `go install -v` is: it prints a line for each module and each package. */
async function withProgress(report: Report, build: (onLine: (line: string) => void) => Promise<string>) {
  const startedMs = Date.now();
  let modules = 0;
  let packages = 0;
  const timer = setInterval(() => {
    const seconds = Math.round((Date.now() - startedMs) / 1000);
    report(`${modules} modules fetched, ${packages} packages built, ${seconds} s`);
  }, reportEveryMs);
  try {
    await build((line) => (line.startsWith('go: downloading') ? modules++ : packages++));
  } finally {
    clearInterval(timer);
  }
}

const official: Source = {
  name: 'the official download',
  async fetch(workspace, report) {
    const platform = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
    const sha256 = release.sha256[platform];
    if (sha256 === undefined) throw new InfraProblem(`there is none with a known checksum for ${platform}`);
    const file = join(workspace, 'minio');
    const url = `https://${module.path}/releases/download/${release.name}/minio.${platform}.${release.name}`;
    await download({ url, sha256 }, file, report);
    return file;
  },
};

/**
 * Path of a MinIO server: `REITERATE_MINIO`, else the one on PATH when it is not older than the last release,
 * else the pinned one from our cache, built with Go or downloaded.
 */
export async function ensureMinio(report: Report): Promise<string> {
  const given = await givenFile('REITERATE_MINIO', 'executable');
  if (given !== null) return given;
  const found = await onPath('minio');
  if (found !== null && (await isRecent(found))) return found;
  return obtain(
    {
      name: 'MinIO',
      target: homePath('bin', `minio-${module.version}`, 'minio'),
      sources: [goInstall, official],
      executable: true,
      remedy:
        'Install Go 1.24 or newer (https://go.dev/dl), or set REITERATE_MINIO to a MinIO server binary.',
    },
    report,
  );
}

/** Reads the day from a release, or from the module version of a binary somebody built with `go install`. */
async function isRecent(file: string): Promise<boolean> {
  const answer = await run(file, ['--version'], { timeoutMs: 30_000 }).catch(() => '');
  const released = /RELEASE\.(\d{4})-(\d{2})-(\d{2})T/.exec(answer);
  if (released !== null) return released.slice(1).join('') >= release.day;
  const build = await run('go', ['version', '-m', file], { timeoutMs: 30_000 }).catch(() => '');
  const built = /\tmod\tgithub\.com\/minio\/minio\tv[\d.]+-(?:0\.)?(\d{8})/.exec(build)?.[1];
  return built !== undefined && built >= release.day;
}
