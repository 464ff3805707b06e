import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stopWatches } from '../../../activities/policy/rollout/stopStrings.ts';

/** Tokens are byte strings; bytes ≥ 256 stand for special tokens, which show nothing. */
const pieces = ['a', 'b', '</', 'to', 'ol', '>', ' ', '\u{1F600}'].map((text) => Buffer.from(text));
const special = pieces.length;
const firstHalf = special + 1;
const secondHalf = special + 2;
const emoji = Buffer.from('\u{1F600}');
const decode = (tokenIds: number[]) =>
  Buffer.concat(
    tokenIds.map((id) => {
      if (id === special) return Buffer.alloc(0);
      if (id === firstHalf) return emoji.subarray(0, 2);
      if (id === secondHalf) return emoji.subarray(2);
      return pieces[id]!;
    }),
  ).toString();

const firstStop = (stopStrings: string[], tokenIds: number[]) => {
  const watch = stopWatches({ decode }, stopStrings)();
  return tokenIds.findIndex((tokenId) => watch(tokenId));
};

test('a stop string across several tokens ends with the token that completes it', () => {
  assert.equal(firstStop(['</tool>'], [0, 1, 2, 3, 4, 5, 0]), 5);
});

test('special tokens in the middle show no text', () => {
  assert.equal(firstStop(['</tool>'], [2, special, 3, special, special, 4, special, special, special, 5]), 9);
});

test('a stop string inside the text of one token counts', () => {
  assert.equal(firstStop(['o'], [0, 3]), 1);
});

test('any of several stop strings, the earliest in the text', () => {
  assert.equal(firstStop(['zzz', ' b'], [0, 6, 1, 2]), 2);
});

test('a character of several tokens is seen when it is whole', () => {
  assert.equal(firstStop(['\u{1F600}'], [0, firstHalf, secondHalf]), 2);
});

test('each completion has a memory of its own, and no stop strings never stop', () => {
  const start = stopWatches({ decode }, ['ab']);
  const one = start();
  const other = start();
  assert.equal(one(0), false);
  assert.equal(other(1), false);
  assert.equal(one(1), true);
  assert.equal(firstStop([], [0, 1, 2, 3, 4, 5]), -1);
});
