import assert from 'node:assert/strict';
import { test } from 'node:test';
import { movement } from '../../activities/curriculum/movement.ts';

const read = (answer: string | null, quality = 0) => ({ answer, quality });

test('steps that repeat an answer, and the best that was reached', () => {
  assert.deepEqual(
    movement([
      [read('1'), read('2', 1), read(null), read('4')],
      [read('1'), read('3'), read(null), read('5', 0.5)],
      [read('7', 1), read('3'), read('8'), read('5', 0.25)],
    ]),
    [
      { unchanged: null, reached: 0.25 },
      { unchanged: 0.5, reached: 0.375 },
      { unchanged: 0.5, reached: 0.625 },
    ],
  );
  assert.deepEqual(movement([]), []);
});
