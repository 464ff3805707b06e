import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  layoutGroups,
  layoutPrompts,
  layoutTexts,
  maskedScore,
} from '../../../activities/policy/model/layout.ts';

const numbers = (array: Float32Array | BigInt64Array | undefined) => Array.from(array!, Number);
const X = Math.fround(maskedScore);

test('prompts stand in rows without padding, in slots with', () => {
  const layout = layoutPrompts([[5, 6, 7], [8]]);
  // Without a past and a common prefix their slots stay free and hidden.
  assert.deepEqual(layout.symbols, { T: 4, N: 2, P: 1, F: 1, C: 3 });
  assert.deepEqual(numbers(layout.feeds['tokenIds']), [5, 6, 7, 8]);
  assert.deepEqual(numbers(layout.feeds['positions']), [0, 1, 2, 0]);
  assert.deepEqual(numbers(layout.feeds['slots']), [1, 2, 3, 4]);
  assert.deepEqual(numbers(layout.feeds['rows']), [0, 0, 1, 2, 3, 0, 0]);
  assert.deepEqual(numbers(layout.feeds['taken']), [0, 1, 1, 1, 1, 0, 0]);
  assert.deepEqual(numbers(layout.feeds['lastRows']), [2, 3]);
  assert.deepEqual(numbers(layout.feeds['prefixMask']), [X, X]);
});

test('what prompts begin with in common is laid out once', () => {
  const layout = layoutPrompts(
    [
      [5, 6, 7],
      [5, 6, 8, 9],
    ],
    2,
  );
  assert.deepEqual(layout.symbols, { T: 5, N: 2, P: 1, F: 2, C: 2 });
  assert.deepEqual(numbers(layout.feeds['tokenIds']), [5, 6, 7, 8, 9]);
  assert.deepEqual(numbers(layout.feeds['positions']), [0, 1, 2, 2, 3]);
  assert.deepEqual(numbers(layout.feeds['slots']), [0, 1, 2, 4, 5]);
  assert.deepEqual(numbers(layout.feeds['lastRows']), [2, 4]);
  assert.deepEqual(numbers(layout.feeds['prefixMask']), [X, 0, 0]);
  assert.deepEqual([layout.prefix, layout.past, layout.lengths], [2, 0, [3, 4]]);
});

test('what was read before is not laid out again', () => {
  const prompts = [
    [4, 5, 6, 7],
    [4, 5, 6, 8, 9],
  ];
  const layout = layoutPrompts(prompts, 3, 2);
  assert.deepEqual(layout.symbols, { T: 4, N: 2, P: 2, F: 1, C: 2 });
  assert.deepEqual(numbers(layout.feeds['tokenIds']), [6, 7, 8, 9]);
  assert.deepEqual(numbers(layout.feeds['positions']), [2, 3, 3, 4]);
  assert.deepEqual(numbers(layout.feeds['slots']), [0, 1, 3, 4]);
  assert.deepEqual(numbers(layout.feeds['lastRows']), [1, 3]);
  assert.deepEqual(numbers(layout.feeds['prefixMask']), [0, 0, 0]);
  const all = layoutPrompts(prompts, 3, 3);
  assert.deepEqual(all.symbols, { T: 3, N: 2, P: 3, F: 1, C: 2 });
  assert.deepEqual(numbers(all.feeds['slots']), [1, 3, 4]);
  assert.deepEqual(numbers(all.feeds['prefixMask']), [0, 0, 0, X]);
});

test('groups of different sizes share one layout', () => {
  const layout = layoutGroups([
    { promptIds: [1, 2], completions: [[11, 12], [13]] },
    { promptIds: [3, 4, 5], completions: [[14]] },
  ]);
  assert.deepEqual(layout.symbols, { T: 9, N: 2, P: 3, G: 2, C: 2, B: 1, K: 4 });
  assert.deepEqual(numbers(layout.feeds['tokenIds']), [1, 2, 11, 12, 13, 3, 4, 5, 14]);
  // A completion goes on where its own prompt ends, not where the padding does.
  assert.deepEqual(numbers(layout.feeds['positions']), [0, 1, 2, 3, 2, 0, 1, 2, 3]);
  // Prompts in slots 0–2 and 3–5, then four completions of two slots each.
  assert.deepEqual(numbers(layout.feeds['slots']), [0, 1, 6, 7, 8, 3, 4, 5, 10]);
  assert.deepEqual(numbers(layout.feeds['rows']), [0, 1, 0, 5, 6, 7, 2, 3, 4, 0, 8, 0, 0, 0]);
  assert.deepEqual(numbers(layout.feeds['taken']), [1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1, 0, 0, 0]);
  // Token 11 is predicted by the last prompt token (row 1), 12 by 11 (row 2), and so on.
  assert.deepEqual(numbers(layout.feeds['scoredRows']), [1, 2, 1, 7]);
  assert.deepEqual(numbers(layout.feeds['targets']), [11, 12, 13, 14]);
  assert.deepEqual(numbers(layout.feeds['promptMask']), [0, 0, X, 0, 0, 0]);
  assert.deepEqual(layout.rowsOf(0, 0), { start: 0, end: 2 });
  assert.deepEqual(layout.rowsOf(0, 1), { start: 2, end: 3 });
  assert.deepEqual(layout.rowsOf(1, 0), { start: 3, end: 4 });
  assert.throws(() => layout.rowsOf(1, 1), /no completion 1 in group 1/);
});

test('an empty completion has no rows, and a layout without any keeps one padding row', () => {
  const layout = layoutGroups([{ promptIds: [1], completions: [[]] }]);
  assert.deepEqual(layout.symbols, { T: 1, N: 1, P: 1, G: 1, C: 1, B: 1, K: 1 });
  assert.deepEqual(layout.rowsOf(0, 0), { start: 0, end: 0 });
  assert.equal(layout.rows, 1);
});

test('texts score every token but the first', () => {
  const layout = layoutTexts([[1, 2, 3], [4], [5, 6]]);
  assert.deepEqual(layout.symbols, { T: 3, N: 3, P: 1, S: 2, B: 1, K: 3 });
  assert.deepEqual(numbers(layout.feeds['scoredRows']), [0, 1, 2]);
  assert.deepEqual(numbers(layout.feeds['targets']), [2, 3, 6]);
  assert.deepEqual(numbers(layout.feeds['pastMask']), [X]);
  assert.deepEqual(layout.rowsOf(0), { start: 0, end: 2 });
  assert.deepEqual(layout.rowsOf(1), { start: 2, end: 2 });
  assert.deepEqual(layout.rowsOf(2), { start: 2, end: 3 });
});

test('a text goes on after what was read of it', () => {
  const layout = layoutTexts([[1, 2, 3, 4, 5]], 2);
  assert.deepEqual(layout.symbols, { T: 2, N: 1, P: 2, S: 2, B: 1, K: 2 });
  assert.deepEqual(numbers(layout.feeds['tokenIds']), [3, 4]);
  assert.deepEqual(numbers(layout.feeds['positions']), [2, 3]);
  assert.deepEqual(numbers(layout.feeds['targets']), [4, 5]);
  assert.deepEqual(numbers(layout.feeds['pastMask']), [0, 0]);
});

test('many scored rows come in equal blocks of at most 256', () => {
  const layout = layoutTexts([Array.from({ length: 601 }, (_, i) => i)]);
  assert.deepEqual(layout.symbols, { T: 600, N: 1, P: 1, S: 600, B: 3, K: 200 });
  const longer = layoutTexts([Array.from({ length: 603 }, (_, i) => i)]);
  assert.deepEqual([longer.symbols['B'], longer.symbols['K']], [3, 201]);
  assert.deepEqual(longer.rowsOf(0), { start: 0, end: 602 });
  assert.equal(longer.feeds['targets']!.length, 603);
});

test('what cannot be laid out is refused by name', () => {
  assert.throws(() => layoutPrompts([]), /at least one prompt/);
  assert.throws(() => layoutPrompts([[1], []]), /prompt 1 is empty/);
  assert.throws(() => layoutPrompts([[1, 2], [1]], 1), /prompt 1 has no token after its prefix of 1/);
  assert.throws(() => layoutGroups([{ promptIds: [], completions: [[1]] }]), /prompt 0 is empty/);
  assert.throws(() => layoutTexts([[4]]), /at least one token to score/);
});
