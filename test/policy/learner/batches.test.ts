import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { packMicroBatches, type MicroBatch } from '../../../activities/policy/learner/batches.ts';
import type { TrainGroup } from '../../../activities/policy/policy.ts';

const group = (promptLength: number, lengths: number[], untrained: number[] = []): TrainGroup => ({
  promptIds: new Array<number>(promptLength).fill(1),
  completions: lengths.map((length, index) => ({
    tokenIds: new Array<number>(length).fill(2),
    logProbs: new Array<number>(length).fill(-1),
    policyLogProbs: new Array<number>(length).fill(-1),
    advantage: 1,
    trained: !untrained.includes(index),
  })),
});

/** Real tokens, and a quarter of the padding that `layoutGroups` will need in attention. */
function load(batch: MicroBatch, groups: TrainGroup[]): number {
  const most = (of: (slice: MicroBatch[number]) => number) => Math.max(...batch.map(of));
  const prompt = most((slice) => groups[slice.group]!.promptIds.length);
  const rollouts = most((slice) => slice.completions.length);
  const completion = most((slice) =>
    Math.max(...slice.completions.map((index) => groups[slice.group]!.completions[index]!.tokenIds.length)),
  );
  const slots = batch.length * (prompt + rollouts * completion);
  const tokens = batch
    .map(({ group, completions }) => {
      const { promptIds, completions: all } = groups[group]!;
      return completions.reduce((sum, index) => sum + all[index]!.tokenIds.length, promptIds.length);
    })
    .reduce((a, b) => a + b);
  return tokens + (slots - tokens) / 4;
}

test('every trained completion is in exactly one batch, and batches keep the budget', () => {
  const groupOf = fc
    .tuple(
      fc.integer({ min: 1, max: 60 }),
      fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 9 }),
    )
    .map(([prompt, lengths]) => group(prompt, lengths, [0]));
  fc.assert(
    fc.property(fc.array(groupOf, { maxLength: 8 }), fc.integer({ min: 150, max: 900 }), (groups, budget) => {
      const batches = packMicroBatches(groups, budget);
      const seen = new Set<string>();
      for (const batch of batches) {
        assert.ok(load(batch, groups) <= budget);
        for (const { group: index, completions } of batch)
          for (const completion of completions) {
            assert.ok(groups[index]!.completions[completion]!.trained);
            assert.ok(!seen.has(`${index}/${completion}`));
            seen.add(`${index}/${completion}`);
          }
      }
      const trained = groups.flatMap(({ completions }) => completions).filter((each) => each.trained);
      assert.equal(seen.size, trained.length);
    }),
  );
});

test('groups of one shape share a batch as long as the budget lasts', () => {
  const groups = [0, 1, 2, 3].map(() => group(20, [40, 40, 40, 40]));
  assert.deepEqual(
    packMicroBatches(groups, 400).map((batch) => batch.map((slice) => slice.group)),
    [
      [0, 1],
      [2, 3],
    ],
  );
});

test('a long answer among short ones does not pad them all', () => {
  const groups = [group(30, [10, 300, 12, 11])];
  const batches = packMicroBatches(groups, 2000);
  assert.deepEqual(
    batches.flat().map(({ completions }) => completions),
    [[1], [2, 3, 0]],
  );
});

test('a completion longer than the budget still gets its pass', () => {
  assert.deepEqual(packMicroBatches([group(50, [500, 10])], 100), [
    [{ group: 0, completions: [0] }],
    [{ group: 0, completions: [1] }],
  ]);
});
