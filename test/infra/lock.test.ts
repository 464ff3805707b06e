import assert from 'node:assert/strict';
import { access, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { withLock } from '../../infra/lock.mjs';

const folder = await mkdtemp(join(tmpdir(), 'reiterate-lock-'));
after(() => rm(folder, { recursive: true, force: true }));

test('one at a time, and nothing is left behind', async () => {
  const file = join(folder, 'busy');
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await sleep(20);
    inside--;
  };
  await Promise.all(Array.from({ length: 8 }, () => withLock(file, { deadlineMs: 60_000 }, work)));
  assert.equal(most, 1);
  assert.deepEqual(await readdir(folder), []);
});

test('a lock whose owner is dead is taken over at once', async () => {
  const file = join(folder, 'dead');
  // More than any system gives.
  await writeFile(file, JSON.stringify({ pid: 2 ** 30, host: hostname(), id: 'x' }));
  assert.equal(await withLock(file, { deadlineMs: 5_000 }, () => Promise.resolve('done')), 'done');
});

test('a lock that nobody touches any more is taken over, whoever wrote it', async () => {
  const file = join(folder, 'silent');
  await writeFile(file, JSON.stringify({ pid: process.pid, host: 'elsewhere', id: 'x' }));
  const longAgo = new Date(Date.now() - 3600_000);
  await utimes(file, longAgo, longAgo);
  assert.equal(await withLock(file, { deadlineMs: 5_000 }, () => Promise.resolve('done')), 'done');
});

test('waiting for a living owner ends with who it is and what to do', async () => {
  const file = join(folder, 'held');
  await writeFile(file, JSON.stringify({ pid: process.pid, host: hostname(), id: 'x' }));
  const waitedFor: string[] = [];
  const options = { deadlineMs: 300, onWait: (owner: string) => void waitedFor.push(owner) };
  await assert.rejects(
    withLock(file, options, () => Promise.resolve()),
    new RegExp(`Process ${process.pid} .*${file}.*delete the file`),
  );
  assert.equal(waitedFor.length, 1);
  await access(file);
});

test('the lock is given back when the work fails', async () => {
  const file = join(folder, 'failing');
  await assert.rejects(
    withLock(file, { deadlineMs: 1_000 }, () => Promise.reject(new Error('broken'))),
    /broken/,
  );
  await assert.rejects(access(file), { code: 'ENOENT' });
});
