import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { advantages } from '../../activities/curriculum/advantages.ts';
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
  for (const kind of ['standard', 'centered'] as const)
    assert.ok(advantages([0.1, 0.1, 0.1, 0.1, 0.1, 0.1], kind).every((advantage) => advantage === 0));
});

test('verification rewards are the quality, whatever the step and the start', () => {
  for (const step of ['base', 'improve', 'diverge'] as const)
    for (const before of [null, 0, 1]) assert.equal(rewardOf('verification', step, 1, before), 1);
});

test('improvement rewards: normalised for improve steps, the quality for the others', () => {
  assert.equal(rewardOf('improvement', 'improve', 0.75, 0.5), 0.5);
  assert.equal(rewardOf('improvement', 'improve', 0.25, 0.5), 0);
  assert.equal(rewardOf('improvement', 'improve', 1, 0.5), 1);
  assert.equal(rewardOf('improvement', 'diverge', 0.25, 0.5), 0.25);
  assert.equal(rewardOf('improvement', 'base', 0.25, null), 0.25);
});

test('little headroom does not blow improvements up, none gives no reward', () => {
  assert.ok(Math.abs(rewardOf('improvement', 'improve', 0.995, 0.99) - 0.1) < 1e-9);
  assert.equal(rewardOf('improvement', 'improve', 1, 1), 0);
  assert.equal(rewardOf('improvement', 'improve', 1, 1 - 1e-7), 0);
  assert.equal(isExhausted('improvement', 1), true);
  assert.equal(isExhausted('verification', 1), false);
  assert.equal(isExhausted('improvement', null), false);
  const unit = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(unit, unit, (quality, before) => {
      const reward = rewardOf('improvement', 'improve', quality, before);
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
