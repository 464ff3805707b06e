import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sequencesOf } from '../../../activities/policy/learner/sequences.ts';
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

const rollout = (...lengths: [number, ...number[]]) => {
  const [first, ...later] = lengths.map((length) => completion(length));
  return {
    ...first!,
    laterTurns: later.map(({ tokenIds, logProbs, policyLogProbs }) => ({
      promptIds: [2, 3],
      ...{ tokenIds, logProbs, policyLogProbs },
    })),
  };
};
const episodes = [
  { promptIds: [1], completions: [rollout(4, 2, 2), rollout(5)] },
  { promptIds: [1], completions: [rollout(2, 1), { ...rollout(7, 3), trained: false }] },
];

test('an episode is one rollout: its turns share N, G and |o|', () => {
  assert.deepEqual(tokenWeights(episodes, 'sequence', 20), [
    [1 / (2 * 2 * 8), 1 / (2 * 2 * 5)],
    [1 / (2 * 2 * 3), 0],
  ]);
  assert.deepEqual(tokenWeights(episodes, 'token', 20), [
    [1 / 16, 1 / 16],
    [1 / 16, 0],
  ]);
  assert.equal(tokenWeights(episodes, 'constant', 20)[0]![0], 1 / 80);
});

test('each later turn is a sequence of its own, with what its rollout has of advantage and weight', () => {
  const weights = [
    [0.1, 0.2],
    [0.3, 0],
  ];
  const computed = sequencesOf(episodes, weights);
  assert.deepEqual(computed.weights, [[0.1, 0.2], [0.1], [0.1], [0.3, 0], [0.3], [0]]);
  assert.deepEqual(
    computed.sequences.map(({ promptIds, completions }) => [
      promptIds.length,
      completions.map(({ tokenIds, advantage, trained }) => [tokenIds.length, advantage, trained]),
    ]),
    [
      [
        1,
        [
          [4, 1, true],
          [5, 1, true],
        ],
      ],
      [2, [[2, 1, true]]],
      [2, [[2, 1, true]]],
      [
        1,
        [
          [2, 1, true],
          [7, 1, false],
        ],
      ],
      [2, [[1, 1, true]]],
      [2, [[3, 1, false]]],
    ],
  );
  assert.deepEqual(sequencesOf(groups, weights), { sequences: groups, weights });
});

test('answers that a prompt replays are tokens of each of its rollouts, and computed once for each sign', () => {
  const [first, second] = groups as [(typeof groups)[0], (typeof groups)[0]];
  const replayed = [{ promptIds: [7, 8], tokenIds: [9, 9, 9] }];
  const advantages = [2, 0, -1, 5];
  const completions = [4, 2, 1, 6].map((length, c) => ({
    ...completion(length, c < 3),
    advantage: advantages[c]!,
  }));
  const given = [{ ...first, replayed, completions }, second];
  const weights = tokenWeights(given, 'sequence', 20);
  assert.deepEqual(weights[0], [1 / (2 * 4 * 7), 1 / (2 * 4 * 5), 1 / (2 * 4 * 4), 0]);
  assert.equal(tokenWeights(given, 'token', 20)[0]![0], 1 / (7 + 5 + 4 + 2 + 5));
  const { sequences, weights: computed } = sequencesOf(given, [
    [0.1, 0.3, 0.2, 0],
    [1, 1],
  ]);
  assert.deepEqual(computed[1], [0.4, 0.2]);
  assert.deepEqual(
    sequences[1]!.completions.map(({ advantage, replayed: read, tokenIds }) => [advantage, read, tokenIds]),
    [
      [(0.1 * 2) / 0.4, true, [9, 9, 9]],
      [-1, true, [9, 9, 9]],
    ],
  );
});
