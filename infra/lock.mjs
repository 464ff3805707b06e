import { mkdir, readFile, rename, link, rm, utimes, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hostname } from 'node:os';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/** The owner touches its lock this often; a lock not touched for `staleMs` has lost its owner. */
const beatMs = 2_000;
const staleMs = 60_000;

/**
 * Runs `work` while holding the lock file `file`, so that two processes do not do the same thing at once. A lock
 * whose owner died is taken over. Plain JavaScript, because it also guards the installation of TypeScript's tools.
 */
export async function withLock(file, { deadlineMs, onWait }, work) {
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), id: randomUUID() });
  await acquire(file, mine, deadlineMs, onWait);
  const beat = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => {}); // The next beat tries again; a lost lock is found at release.
  }, beatMs);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    if ((await contentOf(file)) === mine) await rm(file, { force: true });
  }
}

async function acquire(file, mine, deadlineMs, onWait) {
  const deadline = Date.now() + deadlineMs;
  await mkdir(dirname(file), { recursive: true });
  for (let waited = false; ; waited = true) {
    try {
      await writeFile(file, mine, { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const theirs = await contentOf(file);
    if (theirs === null) continue;
    if (await isStale(file, theirs)) {
      await takeAway(file, theirs);
      continue;
    }
    if (!waited) onWait?.(ownerOf(theirs));
    if (Date.now() > deadline)
      throw new Error(
        `${ownerOf(theirs)} has held the lock ${file} for more than ${Math.round(deadlineMs / 1000)} s; ` +
          'end that process or delete the file, then try again.',
      );
    await sleep(200);
  }
}

async function contentOf(file) {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

async function isStale(file, content) {
  const touched = await stat(file).catch(() => null);
  if (touched === null) return false;
  const owner = parse(content);
  if (owner !== null && owner.host === hostname() && !isAlive(owner.pid)) return true;
  if (Date.now() - touched.mtimeMs <= staleMs) return false;
  // Every lock looks old when the machine has slept; its owner, if it lives, touches it within a beat.
  await sleep(2 * beatMs);
  return (await stat(file).catch(() => null))?.mtimeMs === touched.mtimeMs;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code !== 'ESRCH';
  }
}

/** Removes exactly the lock we looked at: another process may have taken it over in between. */
async function takeAway(file, theirs) {
  const aside = `${file}.${randomUUID()}`;
  try {
    await rename(file, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  if ((await contentOf(aside)) !== theirs) await link(aside, file).catch(() => {}); // Give it back.
  await rm(aside, { force: true });
}

function parse(content) {
  try {
    return JSON.parse(content);
  } catch {
    return null; // The owner has created the file but not written it yet.
  }
}

function ownerOf(content) {
  const owner = parse(content);
  return owner === null ? 'Another process' : `Process ${owner.pid} on ${owner.host}`;
}
