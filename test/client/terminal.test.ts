import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bar, clip, count, duration, fields, percent, table } from '../../client/terminal.ts';

test('durations take the two units that matter', () => {
  const shown = [0, 999, 59_400, 60_000, 187_000, 3_599_000, 3_600_000, 3_725_000, 90_000_000].map(duration);
  assert.deepEqual(shown, ['0s', '1s', '59s', '1m 00s', '3m 07s', '59m 59s', '1h 00m', '1h 02m', '1d 01h']);
});

test('tables align by column and end without blanks', () => {
  const lines = table(
    [
      { title: 'run', align: 'left' },
      { title: 'reward', align: 'right' },
      { title: 'at', align: 'left' },
    ],
    [
      ['a-long-name', '0.1', 'x'],
      ['b', '0.123', ''],
    ],
  );
  assert.deepEqual(lines, ['run          reward  at', 'a-long-name     0.1  x', 'b             0.123']);
});

test('fields align their values', () => {
  assert.deepEqual(
    fields([
      ['a', '1'],
      ['long', '2'],
    ]),
    ['a     1', 'long  2'],
  );
});

test('bars stay in their size whatever the share', () => {
  assert.deepEqual(
    [-1, 0, 0.5, 1, 7].map((share) => bar(share, 4)),
    ['░░░░', '░░░░', '██░░', '████', '████'],
  );
});

test('numbers and cut texts', () => {
  assert.equal(count(1234567.4), '1,234,567');
  assert.equal(percent(0.125), '12.5 %');
  assert.equal(clip('abcdef', 4), 'abc…');
  assert.equal(clip('abcd', 4), 'abcd');
});
