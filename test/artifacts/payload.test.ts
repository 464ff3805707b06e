import assert from 'node:assert/strict';
import test from 'node:test';
import { assertSmall, payloadLimitBytes } from '../../activities/artifacts/payload.ts';

test('a payload may have 64 KiB as JSON, counted in bytes', () => {
  assertSmall('x'.repeat(payloadLimitBytes - 2), 'result');
  assertSmall(undefined, 'result');
  assert.throws(() => assertSmall('x'.repeat(payloadLimitBytes - 1), 'iterate result'), {
    name: 'PayloadsTooLarge',
    message: /iterate result has 65537 bytes/,
  });
  assert.throws(() => assertSmall('é'.repeat(payloadLimitBytes / 2), 'result'), { name: 'PayloadsTooLarge' });
});
