import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { dealMinibatches } from '../../../activities/policy/learner/minibatches.ts';
import type { TrainGroup } from '../../../activities/policy/policy.ts';

/** A group that its only prompt token names. */
const group = (name: number, trained: readonly boolean[]): TrainGroup => ({
  promptIds: [name],
  completions: trained.map((each) => ({
    tokenIds: [1],
    logProbs: [-1],
    policyLogProbs: [-1],
    advantage: 1,
    trained: each,
  })),
});
const namesOf = (minibatches: TrainGroup[][]) =>
  minibatches.map((dealt) => dealt.map(({ promptIds }) => promptIds[0]));

test('groups are dealt whole and in their order', () => {
  const groups = [0, 1, 2, 3, 4].map((name) => group(name, [true, false]));
  assert.deepEqual(namesOf(dealMinibatches(groups, 2)), [
    [0, 2, 4],
    [1, 3],
  ]);
  assert.deepEqual(dealMinibatches(groups, 1), [groups]);
});

test('every group is in one minibatch, all are of like size, and none is without a trained completion', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }), { maxLength: 12 }),
      fc.integer({ min: 1, max: 8 }),
      (flags, count) => {
        const groups = flags.map((trained, name) => group(name, trained));
        const minibatches = dealMinibatches(groups, count);
        const trains = ({ completions }: TrainGroup) => completions.some(({ trained }) => trained);
        const dealt = namesOf(minibatches).flat();
        assert.equal(new Set(dealt).size, dealt.length);
        for (const [name, each] of groups.entries()) assert.ok(dealt.includes(name) || !trains(each));
        for (const minibatch of minibatches) {
          assert.ok(minibatch.some(trains));
          assert.ok(Math.abs(minibatch.length - groups.length / count) < 1);
        }
      },
    ),
  );
});

test('groups without any trained completion make no step', () => {
  assert.deepEqual(dealMinibatches([group(0, [false])], 3), []);
  assert.deepEqual(namesOf(dealMinibatches([group(0, [false]), group(1, [true])], 2)), [[1]]);
});
