import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trainGroups } from '../activities/trainGroups.ts';
import type { FinishReason } from '../activities/policy/policy.ts';

let rollouts = 0;
const row = (ordinal: number, finishReason: FinishReason, dropped: string | null = null) => ({
  rolloutId: `g1/${ordinal}/${rollouts++}`,
  ordinal,
  finishReason,
  dropped,
  promptIds: [ordinal],
  completionIds: [5, 6],
  logProbs: [-1, -2],
  policyLogProbs: [-1, -2],
  advantage: 0.5,
});
const rows = [
  row(0, 'stop'),
  row(0, 'length'),
  row(1, 'stop', 'noSignal'),
  row(2, 'stopString'),
  row(2, 'length'),
  row(3, 'length', 'overlong'),
];
const trainedOf = (overlong: 'train' | 'mask') =>
  trainGroups(rows, overlong).map(({ promptIds, completions }) => [
    promptIds[0],
    completions.map(({ trained }) => trained),
  ]);

test('dropped groups are left out; truncated answers are trained on unless they are masked', () => {
  assert.deepEqual(trainedOf('train'), [
    [0, [true, true]],
    [2, [true, true]],
  ]);
  assert.deepEqual(trainedOf('mask'), [
    [0, [true, false]],
    [2, [true, false]],
  ]);
});

test('a completion keeps its tokens, log-probs and advantage', () => {
  assert.deepEqual(trainGroups(rows.slice(0, 1), 'mask'), [
    {
      promptIds: [0],
      completions: [
        { tokenIds: [5, 6], logProbs: [-1, -2], policyLogProbs: [-1, -2], advantage: 0.5, trained: true },
      ],
    },
  ]);
});

test('an answer brings the later turns of its rollout along; cut off in one of them it is masked in all', () => {
  const [first, cutOff, other] = [row(4, 'stop'), row(4, 'length'), row(4, 'stop')];
  const later = { ...cutOff, rolloutId: first.rolloutId, promptIds: [8, 9], completionIds: [7] };
  const [group] = trainGroups([first, later, other], 'mask');
  assert.deepEqual(
    group?.completions.map(({ trained, laterTurns }) => [trained, laterTurns]),
    [
      [false, [{ promptIds: [8, 9], tokenIds: [7], logProbs: [-1, -2], policyLogProbs: [-1, -2] }]],
      [true, undefined],
    ],
  );
});

test('the answers that a prompt replays come with its group, where they are asked for', () => {
  const replayed = [{ promptIds: [1], tokenIds: [2, 3] }];
  const groups = trainGroups(rows, 'train', (ordinal) => (ordinal === 2 ? replayed : []));
  assert.deepEqual(
    groups.map((group) => group.replayed),
    [undefined, replayed],
  );
});
