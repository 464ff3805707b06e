import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { advantages } from '../../activities/curriculum/advantages.ts';
import { diversity, withBonus } from '../../activities/curriculum/diversity.ts';
import { identityOf } from '../../activities/curriculum/identity.ts';
import { learnability } from '../../activities/curriculum/learnability.ts';
import { isExhausted, rewardOf } from '../../activities/curriculum/rewards.ts';

const rewards = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 16 });

test('learnability is p(1 − p) of binary rewards', () => {
  for (const ones of [0, 1, 2, 3, 4, 8]) {
    const rewardsG = Array.from({ length: 8 }, (_, rollout) => (rollout < ones ? 1 : 0));
    const p = ones / 8;
    assert.ok(Math.abs(learnability(rewardsG) - p * (1 - p)) < 1e-12);
  }
});

test('learnability of the same rewards is the same, bit by bit, in any order', () => {
  const anyOrder = rewards.chain((rewardsG) =>
    fc.tuple(
      fc.constant(rewardsG),
      fc.shuffledSubarray(rewardsG, { minLength: rewardsG.length, maxLength: rewardsG.length }),
    ),
  );
  fc.assert(fc.property(anyOrder, ([one, other]) => learnability(one) === learnability(other)));
  for (let size = 2; size <= 16; size++)
    for (let ones = 0; ones <= size; ones++) {
      const rewardsG = Array.from({ length: size }, (_, rollout) => (rollout < ones ? 1 : 0));
      assert.equal(learnability(rewardsG), learnability(rewardsG.map((reward) => 1 - reward)));
    }
});

test('learnability lies in [0, 0.25] and is 0 exactly for equal rewards', () => {
  fc.assert(
    fc.property(rewards, (rewardsG) => {
      const score = learnability(rewardsG);
      assert.ok(score >= 0 && score <= 0.25 + 1e-12);
    }),
  );
  // Σ of 0.1s is not a multiple of 0.1 in floating point.
  assert.equal(learnability([0.1, 0.1, 0.1, 0.1, 0.1, 0.1]), 0);
});

test('standard advantages have mean 0 and population deviation 1, centered ones keep the scale', () => {
  assert.deepEqual(
    advantages([1, 0, 0, 0], 'standard').map((advantage) => advantage.toFixed(4)),
    ['1.7321', '-0.5774', '-0.5774', '-0.5774'],
  );
  assert.deepEqual(advantages([1, 0, 0, 0], 'centered'), [0.75, -0.25, -0.25, -0.25]);
  fc.assert(
    fc.property(rewards, (rewardsG) => {
      for (const kind of ['standard', 'centered'] as const) {
        const sum = advantages(rewardsG, kind).reduce((total, advantage) => total + advantage, 0);
        assert.ok(Math.abs(sum) < 1e-6 * rewardsG.length);
      }
    }),
  );
});

test('equal rewards have advantages of exactly 0', () => {
  for (const kind of ['standard', 'centered', 'max-rl'] as const)
    assert.ok(advantages([0.1, 0.1, 0.1, 0.1, 0.1, 0.1], kind).every((advantage) => advantage === 0));
});

const verification = { mode: 'verification', minHeadroom: 0.05 } as const;
const improvement = { mode: 'improvement', minHeadroom: 0.05 } as const;

test('max-rl advantages are differences from the mean in units of the mean', () => {
  const close = (a: number[], b: number[]) =>
    a.forEach((x, i) => assert.ok(Math.abs(x - b[i]!) < 1e-6, `${x}`));
  close(advantages([1, 0, 0, 0], 'max-rl'), [3, -1, -1, -1]);
  close(advantages([1, 1, 1, 0], 'max-rl'), [1 / 3, 1 / 3, 1 / 3, -1]);
  close(advantages([0, 0, 0, 0], 'max-rl'), [0, 0, 0, 0]);
});

test('the diversity bonus: distances from the middle of the group, in three scales', () => {
  // The middle is (1, 0); distances 1, 1, 2, 2.
  const embeddings = [
    [2, 0],
    [0, 0],
    [1, 2],
    [1, -2],
  ];
  assert.deepEqual(diversity(embeddings, 'paper'), [1, 1, 2, 2]);
  assert.deepEqual(diversity(embeddings, 'min-max'), [0, 0, 1, 1]);
  const meanOne = diversity(embeddings, 'mean-one');
  assert.deepEqual(meanOne, [2 / 3, 2 / 3, 4 / 3, 4 / 3]);
  // Far apart and at similar distances: the paper's quotient explodes, ours is bounded.
  const similar = [
    [1000, 0],
    [-1000, 0],
    [0, 990],
    [0, -990],
  ];
  assert.ok(diversity(similar, 'paper').every((bonus) => bonus === 10));
});

test('answers that do not differ have a bonus of 1, in every scale', () => {
  for (const scale of ['paper', 'mean-one', 'min-max'] as const) {
    assert.deepEqual(
      diversity(
        [
          [0.5, 1],
          [0.5, 1],
          [0.5, 1],
        ],
        scale,
      ),
      [1, 1, 1],
    );
    assert.deepEqual(
      diversity(
        [
          [0, 1],
          [0, -1],
        ],
        scale,
      ),
      [1, 1],
    );
    assert.deepEqual(
      diversity(
        [
          [0, 1e-8],
          [0, 0],
        ],
        scale,
      ),
      [1, 1],
    );
  }
  // Two answers, each given twice, and one answer alone, but for the rounding of their embeddings.
  for (const scale of ['paper', 'mean-one', 'min-max'] as const) {
    assert.deepEqual(diversity([[3], [3 + 1e-6], [-2], [-2 - 1e-6]], scale), [1, 1, 1, 1]);
    assert.deepEqual(diversity([[3], [3 + 1e-6], [3 - 2e-6]], scale), [1, 1, 1]);
    assert.deepEqual(diversity([[0], [0]], scale), [1, 1]);
  }
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: 3, maxLength: 3 }), {
        minLength: 2,
        maxLength: 8,
      }),
      fc.constantFrom('paper' as const, 'mean-one' as const, 'min-max' as const),
      (embeddings, scale) => {
        const bonus = diversity(embeddings, scale);
        assert.ok(bonus.every((d) => d >= 0 && d <= (scale === 'mean-one' ? embeddings.length : 10)));
        if (scale !== 'mean-one') return;
        const mean = bonus.reduce((sum, d) => sum + d, 0) / bonus.length;
        assert.ok(Math.abs(mean - 1) < 1e-9);
      },
    ),
  );
});

test('a bonus for positive advantages alone leaves failures as they are', () => {
  assert.deepEqual(withBonus([1, -1, 0], [2, 3, 4], false), [2, -3, 0]);
  assert.deepEqual(withBonus([1, -1, 0], [2, 3, 4], true), [2, -1, 0]);
});

test('verification rewards are the quality, whatever the step and the start', () => {
  for (const step of ['base', 'improve', 'diverge'] as const)
    for (const before of [null, 0, 1]) assert.equal(rewardOf(verification, step, 1, before), 1);
});

test('improvement rewards: normalised for improve steps, the quality for the others', () => {
  assert.equal(rewardOf(improvement, 'improve', 0.75, 0.5), 0.5);
  assert.equal(rewardOf(improvement, 'improve', 0.25, 0.5), 0);
  assert.equal(rewardOf(improvement, 'improve', 1, 0.5), 1);
  assert.equal(rewardOf(improvement, 'diverge', 0.25, 0.5), 0.25);
  assert.equal(rewardOf(improvement, 'base', 0.25, null), 0.25);
});

test('little headroom does not blow improvements up, none gives no reward', () => {
  assert.ok(Math.abs(rewardOf(improvement, 'improve', 0.995, 0.99) - 0.1) < 1e-9);
  assert.equal(rewardOf(improvement, 'improve', 1, 1), 0);
  assert.equal(rewardOf(improvement, 'improve', 1, 1 - 1e-7), 0);
  assert.equal(isExhausted('improvement', 1), true);
  assert.equal(isExhausted('verification', 1), false);
  assert.equal(isExhausted('improvement', null), false);
  const asPrinted = { ...improvement, minHeadroom: 0 };
  assert.ok(Math.abs(rewardOf(asPrinted, 'improve', 0.995, 0.99) - 0.5) < 1e-9);
  assert.equal(rewardOf(asPrinted, 'improve', 1, 1), 0);
  const unit = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(unit, unit, (quality, before) => {
      const reward = rewardOf(improvement, 'improve', quality, before);
      assert.ok(reward >= 0 && reward <= 1 + 1e-12);
    }),
  );
});

test('identity does not depend on the order of keys, but on every character', () => {
  const history = [
    { request: [{ role: 'user' as const, content: 'hello' }], response: 'a b', feedback: null },
  ];
  const shuffled = [
    { feedback: null, response: 'a b', request: [{ content: 'hello', role: 'user' as const }] },
  ];
  const id = identityOf('task', 0, history);
  assert.match(id, /^[0-9a-f]{64}$/);
  assert.equal(identityOf('task', 0, shuffled), id);
  const others = [
    identityOf('task', 0, [{ ...history[0]!, response: 'a  b' }]),
    identityOf('task', 0, [{ ...history[0]!, response: null }]),
    identityOf('task', 0, [{ ...history[0]!, feedback: '' }]),
    identityOf('task', 1, history),
    identityOf('other', 0, history),
  ];
  assert.equal(new Set([id, ...others]).size, 6);
});
