import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { planQueues } from '../../../activities/policy/rollout/queues.ts';

const prompt = (length: number, keys: number) => ({
  tokenIds: new Array<number>(length).fill(1),
  keys: new Array<string>(keys).fill('0'),
});

test('every rollout is in exactly one queue, and a queue has one G within the limit', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 40 })), { minLength: 1 }),
      fc.integer({ min: 1, max: 32 }),
      (shapes, rowLimit) => {
        const prompts = shapes.map(([length, keys]) => prompt(length, keys));
        const seen = new Set<string>();
        for (const queue of planQueues(prompts, rowLimit)) {
          assert.equal(new Set(queue.map(({ count }) => count)).size, 1);
          for (const { index, first, count } of queue) {
            assert.ok(count >= 1 && count <= rowLimit);
            for (let key = first; key < first + count; key++) {
              assert.ok(!seen.has(`${index}/${key}`));
              seen.add(`${index}/${key}`);
            }
          }
        }
        assert.equal(
          seen.size,
          prompts.reduce((sum, { keys }) => sum + keys.length, 0),
        );
      },
    ),
  );
});

test('long prompts come first', () => {
  const lengths = [10, 50, 11, 49];
  const [queue, ...others] = planQueues(
    lengths.map((length) => prompt(length, 8)),
    64,
  );
  assert.equal(others.length, 0);
  assert.deepEqual(
    queue!.map(({ index }) => lengths[index]),
    [50, 49, 11, 10],
  );
});
