import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeGaps } from '../../../activities/policy/rollout/closeGaps.ts';

test('what stays goes on without gaps, moved only from behind, and only where there was a gap', () => {
  for (let count = 0; count <= 8; count++)
    for (let stayers = 0; stayers < 2 ** count; stayers++) {
      const stays = (index: number) => ((stayers >> index) & 1) === 1;
      const order = closeGaps(count, stays);
      const expected = Array.from({ length: count }, (_, index) => index).filter(stays);
      assert.deepEqual(
        [...order].sort((a, b) => a - b),
        expected,
      );
      order.forEach((from, to) => assert.ok(from === to || (from > to && !stays(to))));
    }
});
