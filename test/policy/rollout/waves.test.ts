import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { planWaves } from '../../../activities/policy/rollout/waves.ts';

const prompt = (length: number, keys: number) => ({
  tokenIds: new Array<number>(length).fill(1),
  keys: new Array<string>(keys).fill('0'),
});

test('every rollout is in exactly one wave, waves keep the limit and have one G', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 40 })), { minLength: 1 }),
      fc.integer({ min: 1, max: 32 }),
      (shapes, rowLimit) => {
        const prompts = shapes.map(([length, keys]) => prompt(length, keys));
        const waves = planWaves(prompts, rowLimit);
        const seen = new Set<string>();
        for (const wave of waves) {
          assert.ok(wave.length > 0);
          assert.ok(wave.reduce((sum, { count }) => sum + count, 0) <= rowLimit);
          assert.equal(new Set(wave.map(({ count }) => count)).size, 1);
          for (const { index, first, count } of wave)
            for (let key = first; key < first + count; key++) {
              assert.ok(!seen.has(`${index}/${key}`));
              seen.add(`${index}/${key}`);
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

test('like lengths come together and waves are even', () => {
  const lengths = [10, 50, 11, 49, 12, 48, 13, 47, 14];
  const waves = planWaves(
    lengths.map((length) => prompt(length, 8)),
    64,
  );
  assert.deepEqual(
    waves.map((wave) => wave.map(({ index }) => lengths[index])),
    [
      [50, 49, 48, 47],
      [14, 13, 12, 11, 10],
    ],
  );
});
