import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accuracyTable, resample, rewardCurve } from '../../client/curves.ts';

test('the curve has the same height and fits its width for one, few and many generations', () => {
  for (const generations of [1, 2, 3, 24, 73, 74, 1000]) {
    const rewards = Array.from({ length: generations }, (_, index) => index / generations);
    const lines = rewardCurve(rewards, 1, 80);
    assert.equal(lines.length, 8 + 2, `${generations} generations`);
    for (const line of lines) assert.ok(line.length <= 80, `${generations}: ${line.length} columns`);
  }
});

test('the axis names the first and the last generation', () => {
  assert.match(rewardCurve([0.1, 0.2, 0.3], 5, 80).at(-1) ?? '', /^ +5 +7$/);
  assert.match(rewardCurve([0.1], 5, 80).at(-1) ?? '', /^ +5$/);
});

test('a reward of 0 is drawn at the bottom, of 1 at the top', () => {
  const lines = rewardCurve([0, 0, 1, 1], 1, 40);
  assert.match(lines[0] ?? '', /^ *1\.00 .*─/);
  assert.match(lines[8] ?? '', /^ *0\.00 .*─/);
});

test('few values are joined by straight lines that pass through them', () => {
  const points = resample([0, 1, 0.5], 21);
  assert.equal(points.length, 21);
  assert.deepEqual([points[0], points[5], points[10], points[20]], [0, 0.5, 1, 0.5]);
});

test('many values become means of neighbours, the overall mean unchanged', () => {
  const points = resample(
    Array.from({ length: 100 }, (_, index) => index),
    10,
  );
  assert.deepEqual(points, [4.5, 14.5, 24.5, 34.5, 44.5, 54.5, 64.5, 74.5, 84.5, 94.5]);
});

test('accuracies come with the change from first to last', () => {
  const lines = accuracyTable([
    { generation: 0, accuracy: [0.14, 0.02] },
    { generation: 24, accuracy: [0.84, 0.82] },
  ]);
  assert.deepEqual(
    lines.map((line) => line.replaceAll(/ {2,}/g, ' | ')),
    [
      'held-out accuracy | k=0 | k=1',
      'before training | 14.0 % | 2.0 %',
      'generation 24 | 84.0 % | 82.0 %',
      'change | +70.0 | +80.0',
    ],
  );
  assert.equal(new Set(lines.slice(0, 3).map((line) => line.length)).size, 1, 'columns are aligned');
});

test('a single evaluation has no change, none is no table', () => {
  assert.equal(accuracyTable([{ generation: 0, accuracy: [0.5] }]).length, 2);
  assert.deepEqual(accuracyTable([]), []);
});
