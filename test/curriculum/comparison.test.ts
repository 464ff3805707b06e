import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareArms } from '../../activities/curriculum/comparison.ts';
import { stream } from '../../activities/random.ts';

/** Qualities by run, depth and problem: right with probability `accuracy[k]`. */
function drawn(seed: number, runs: number, problems: number, accuracy: readonly number[]): number[][][] {
  const random = stream(['comparison test', seed]);
  return Array.from({ length: runs }, () =>
    accuracy.map((share) => Array.from({ length: problems }, () => (random() < share ? 1 : 0))),
  );
}

test('means, deviations, corrected and broken answers of an arm', () => {
  const arm = [
    [
      [0, 1, 1, 0],
      [1, 1, 0, 0],
    ],
    [
      [1, 1, 1, 0],
      [1, 1, 1, 1],
    ],
  ];
  const [first, last] = compareArms({ arm }, 1)['arm']!.depths;
  assert.equal(first!.accuracy.value, 0.625);
  assert.ok(Math.abs(first!.deviation! - Math.sqrt(0.03125)) < 1e-12);
  assert.deepEqual([first!.corrected, first!.broken, first!.change.value], [0, 0, 0]);
  assert.deepEqual([last!.corrected, last!.broken], [2, 1]);
  assert.equal(last!.change.value, 0.125);
  assert.equal(compareArms({ arm }, 1)['arm']!.against, null);
});

test('a true difference is found, none is not, and an arm may lack runs', () => {
  const arms = {
    empty: [null, null, null],
    base: drawn(1, 3, 200, [0.3, 0.3]),
    same: drawn(2, 3, 200, [0.3, 0.3]),
    better: [null, ...drawn(3, 2, 200, [0.6, 0.7])],
    none: [],
  };
  const compared = compareArms(arms, 5);
  assert.deepEqual(Object.keys(compared), ['base', 'same', 'better']);
  const { first, last } = compared['better']!.against!;
  assert.ok(first.low > 0.15 && first.high < 0.45 && first.p < 0.01, JSON.stringify(first));
  assert.ok(last.low > first.low);
  assert.ok(compared['same']!.against!.first.p > 0.05);
  assert.ok(compared['base']!.depths[0]!.accuracy.high > 0.3);
  assert.deepEqual(compareArms(arms, 5), compared);
});

test('an interval holds the truth about as often as it says', () => {
  let held = 0;
  const trials = 60;
  for (let trial = 0; trial < trials; trial++) {
    const { low, high } = compareArms({ arm: drawn(100 + trial, 6, 120, [0.4]) }, trial)['arm']!.depths[0]!
      .accuracy;
    if (low <= 0.4 && 0.4 <= high) held++;
  }
  // 57 of 60 in the mean; a bootstrap over seeds and problems errs on the wide side.
  assert.ok(held >= 52, `${held} of ${trials}`);
});

test('for any arms: the value lies in its interval, and an arm does not differ from itself', () => {
  const quality = fc.constantFrom(0, 1);
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.array(quality, { minLength: 4, maxLength: 4 }), { minLength: 2, maxLength: 2 }), {
        minLength: 1,
        maxLength: 3,
      }),
      (arm) => {
        const { depths, against } = compareArms({ arm, again: arm }, 3)['again']!;
        for (const { accuracy, change } of depths)
          for (const { value, low, high } of [accuracy, change])
            assert.ok(low <= value + 1e-12 && value <= high + 1e-12);
        for (const { value, low, high, p } of Object.values(against!))
          assert.deepEqual([value, low, high, p], [0, 0, 0, 1]);
      },
    ),
    { numRuns: 20 },
  );
});
