import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GuardsConfig } from '../../workflows/contract/config.ts';
import type { CommitResult } from '../../workflows/contract/steps.ts';
import { alarmsOf } from '../../workflows/guards.ts';

const off: GuardsConfig = {
  zeroRewardGenerations: null,
  truncatedShare: null,
  graderErrorShare: null,
  meanMismatch: null,
};
const committed = (rest: Partial<CommitResult> = {}): CommitResult => ({
  head: { generation: 7, hash: 'a'.repeat(64), manifest: { key: 'm', sha256: 'a'.repeat(64), bytes: 1 } },
  meanReward: 0,
  truncatedShare: 1,
  failedShare: 1,
  mismatch: 3,
  summary: '',
  ...rest,
});

test('without limits nothing is an alarm', () => {
  assert.deepEqual(alarmsOf(off, committed(), [0, 0, 0]), []);
});

test('generations without reward: at the limit, and again after as many more', () => {
  const guards = { ...off, zeroRewardGenerations: 3 };
  const alarmed = (rewards: number[]) => alarmsOf(guards, committed(), rewards).length === 1;
  assert.equal(alarmed([0.1, 0, 0]), false);
  assert.equal(alarmed([0.1, 0, 0, 0]), true);
  assert.equal(alarmed([0, 0, 0, 0]), false);
  assert.equal(alarmed([0.1, 0, 0, 0, 0, 0, 0]), true);
  assert.equal(alarmed([0, 0, 0, 0.1]), false);
  assert.match(
    alarmsOf(guards, committed(), [0, 0, 0])[0]!,
    /^generation 7: no answer .* in 3 generations in a row \(guards\.zeroRewardGenerations\)$/,
  );
});

test('cut-off answers, answers without a grade, and a sampler that is not the learner', () => {
  const limits = { ...off, truncatedShare: 0.5, graderErrorShare: 0.25, meanMismatch: 0.01 };
  const fine = committed({ truncatedShare: 0.49, failedShare: 0.25, mismatch: 0.01 });
  assert.deepEqual(alarmsOf(limits, fine, [0.5]), []);
  assert.deepEqual(alarmsOf(limits, { ...fine, mismatch: null }, [0.5]), []);
  const alarms = alarmsOf(
    limits,
    committed({ truncatedShare: 0.5, failedShare: 0.26, mismatch: 0.011 }),
    [0.5],
  );
  assert.deepEqual(
    alarms.map((alarm) => /\(guards\.(\w+)\)$/.exec(alarm)?.[1]),
    ['truncatedShare', 'graderErrorShare', 'meanMismatch'],
  );
});
