import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteCache } from '../../../activities/policy/engine/byteCache.ts';

test('the least recently used goes first, and what is too large is not kept', () => {
  const cache = new ByteCache(10);
  cache.set('a', new Uint8Array(4));
  cache.set('b', new Uint8Array(4));
  cache.get('a');
  cache.set('c', new Uint8Array(4));
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => cache.get(key)?.length),
    [4, undefined, 4],
  );
  cache.set('d', new Uint8Array(11));
  assert.equal(cache.get('d'), undefined);
  assert.equal(cache.get('a')?.length, 4);
  cache.set('a', new Uint8Array(10));
  assert.deepEqual(
    ['a', 'c'].map((key) => cache.get(key)?.length),
    [10, undefined],
  );
});
