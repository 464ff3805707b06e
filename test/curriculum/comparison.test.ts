import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareArms as compare, type RunKP } from '../../activities/curriculum/comparison.ts';
import { stream } from '../../activities/random.ts';

const compareArms = (arms: Record<string, (RunKP | null)[]>, seed: number) =>
  compare(arms, seed, () => Promise.resolve());

/** Qualities by run, depth and problem: right with probability `accuracy[k]`. */
function drawn(seed: number, runs: number, problems: number, accuracy: readonly number[]): number[][][] {
  const random = stream(['comparison test', seed]);
  return Array.from({ length: runs }, () =>
    accuracy.map((share) => Array.from({ length: problems }, () => (random() < share ? 1 : 0))),
  );
}

test('means, deviations, corrected and broken answers of an arm', async () => {
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
  const [first, last] = (await compareArms({ arm }, 1))['arm']!.depths;
  assert.equal(first!.accuracy.value, 0.625);
  assert.ok(Math.abs(first!.deviation! - Math.sqrt(0.03125)) < 1e-12);
  assert.deepEqual([first!.corrected, first!.broken, first!.change.value], [0, 0, 0]);
  assert.deepEqual([last!.corrected, last!.broken], [2, 1]);
  assert.equal(last!.change.value, 0.125);
  assert.equal((await compareArms({ arm }, 1))['arm']!.against, null);
});

test('a true difference is found, none is not, and an arm may lack runs', async () => {
  const arms = {
    empty: [null, null, null],
    base: drawn(1, 3, 200, [0.3, 0.3]),
    same: drawn(2, 3, 200, [0.3, 0.3]),
    better: [null, ...drawn(3, 2, 200, [0.6, 0.7])],
    none: [],
  };
  const compared = await compareArms(arms, 5);
  assert.deepEqual(Object.keys(compared), ['base', 'same', 'better']);
  const { first, last } = compared['better']!.against!;
  assert.ok(first.low > 0.15 && first.high < 0.45 && first.p < 0.01, JSON.stringify(first));
  assert.ok(last.low > first.low);
  assert.ok(compared['same']!.against!.first.p > 0.05);
  assert.ok(compared['base']!.depths[0]!.accuracy.high > 0.3);
  assert.deepEqual(await compareArms(arms, 5), compared);
});

test('an interval holds the truth about as often as it says', async () => {
  let held = 0;
  const trials = 60;
  for (let trial = 0; trial < trials; trial++) {
    const compared = await compareArms({ arm: drawn(100 + trial, 6, 120, [0.4]) }, trial);
    const { low, high } = compared['arm']!.depths[0]!.accuracy;
    if (low <= 0.4 && 0.4 <= high) held++;
  }
  // 57 of 60 in the mean; a bootstrap over seeds and problems errs on the wide side.
  assert.ok(held >= 52, `${held} of ${trials}`);
});

test('for any arms: the value lies in its interval, and an arm does not differ from itself', async () => {
  const quality = fc.constantFrom(0, 1);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.array(quality, { minLength: 4, maxLength: 4 }), { minLength: 2, maxLength: 2 }), {
        minLength: 1,
        maxLength: 3,
      }),
      async (arm) => {
        const { depths, against } = (await compareArms({ arm, again: arm }, 3))['again']!;
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

test('it pauses often: two arms × 5 seeds on 1,319 problems never hold a thread for long', async () => {
  const arms = Object.fromEntries(['a', 'b'].map((name, index) => [name, drawn(index, 5, 1319, [0.4, 0.5])]));
  // Of this process’s own time, which others at work on the machine do not lengthen.
  const now = () => process.cpuUsage().user / 1e6;
  let since = now();
  const stretches: number[] = [];
  const breathe = async () => {
    stretches.push(now() - since);
    await new Promise((resume) => setImmediate(resume));
    since = now();
  };
  await compare(arms, 1, breathe);
  await breathe();
  const [longest, total] = [Math.max(...stretches), stretches.reduce((sum, stretch) => sum + stretch, 0)];
  assert.ok(stretches.length > 50 && longest < total / 5, `${stretches.length}: ${longest} of ${total} s`);
});

test('runs of other problems or depths are not compared', async () => {
  const all = drawn(1, 1, 20, [0.5, 0.5]);
  const fewer = drawn(1, 1, 10, [0.5, 0.5]);
  const deeper = drawn(1, 1, 20, [0.5, 0.5, 0.5]);
  for (const other of [fewer, deeper])
    await assert.rejects(compareArms({ a: [...all, null], b: [null, ...other] }, 1), {
      name: 'InvalidRunConfig',
      message: /arms must play the same problems at the same depths: problems of 'a' 20, of 'b' \d+/,
    });
});
