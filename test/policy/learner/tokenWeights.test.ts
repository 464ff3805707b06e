import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tokenWeights } from '../../../activities/policy/learner/tokenWeights.ts';

const completion = (length: number, trained = true) => ({
  tokenIds: new Array<number>(length).fill(5),
  logProbs: new Array<number>(length).fill(-1),
  policyLogProbs: new Array<number>(length).fill(-1),
  advantage: 1,
  trained,
});
const groups = [
  { promptIds: [1], completions: [completion(4), completion(10, false)] },
  { promptIds: [1], completions: [completion(2), completion(5)] },
];

test('sequence: every completion weighs alike, untrained ones count in G', () => {
  assert.deepEqual(tokenWeights(groups, 'sequence', 20), [
    [1 / (2 * 2 * 4), 0],
    [1 / (2 * 2 * 2), 1 / (2 * 2 * 5)],
  ]);
});

test('token: every trained token weighs alike, and they sum to one', () => {
  assert.deepEqual(tokenWeights(groups, 'token', 20), [
    [1 / 11, 0],
    [1 / 11, 1 / 11],
  ]);
});

test('constant: no length enters', () => {
  assert.deepEqual(tokenWeights(groups, 'constant', 20), [
    [1 / 80, 0],
    [1 / 80, 1 / 80],
  ]);
});
