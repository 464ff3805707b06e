import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromFiles, toFiles } from '../../../activities/policy/engine/byteFiles.ts';

test('large byte strings go by file, which is gone when they are read; all else stays as it is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'reiterate-test-'));
  try {
    const large = new Uint8Array(3 * 1024 * 1024).map((_, i) => i % 251);
    const message = { large, small: Uint8Array.of(1, 2), list: [1, 2], nothing: null, nested: { a: 'b' } };
    const sent = (await toFiles(message, folder)) as Record<string, unknown>;
    assert.deepEqual({ ...sent, large: null }, { ...message, large: null });
    assert.equal((await readdir(folder)).length, 1);
    assert.deepEqual(await fromFiles(structuredClone(sent)), message);
    assert.deepEqual(await fromFiles(await toFiles(large, folder)), large);
    assert.deepEqual(await readdir(folder), []);
  } finally {
    await rm(folder, { recursive: true });
  }
});
