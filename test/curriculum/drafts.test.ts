import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { refinementOf } from '../../activities/curriculum/drafts.ts';
import { emptyCurriculum, scoreGroups } from '../../activities/curriculum/score.ts';
import type { Outcome, Turn } from '../../activities/curriculum/types.ts';
import igrpo from '../../presets/igrpo-robust.json' with { type: 'json' };
import { RunConfig } from '../../workflows/contract/config.ts';
import { base, chiSquare, draw, outcome } from './make.ts';

const task = draw(3, base('task'));
const draftsOf = (...qualities: number[]) =>
  qualities.map((quality, index) => outcome(`g1/draft/3/${index}`, quality));
const chosen = (drafts: readonly Outcome[], seed = 1) =>
  refinementOf(task, drafts, seed).instance.parent?.rolloutId;

test('the best draft is what an improve step starts from', () => {
  const { ordinal, step, source, instance } = refinementOf(task, draftsOf(0.2, 0.9, 0.5), 1);
  assert.deepEqual({ ordinal, step, source }, { ordinal: 3, step: 'improve', source: 'taskSet' });
  assert.deepEqual(instance.parent, { instanceId: task.instance.id, rolloutId: 'g1/draft/3/1' });
  assert.equal(instance.depth, 1);
  assert.equal(instance.quality, 0.9);
  assert.equal(instance.history[0]!.response, 'answer g1/draft/3/1');
  assert.equal(instance.kind, 'selfIteration');
});

test('drafts that were cut off or not graded are passed over, however good', () => {
  const [cut, lost, plain] = draftsOf(1, 0.8, 0.1);
  assert.equal(
    chosen([{ ...cut!, truncated: true }, { ...lost!, failure: 'no verdict' }, plain!]),
    plain!.rolloutId,
  );
});

test('a task without a usable draft is played as it was drawn', () => {
  const drafts = [outcome('a', 1, { truncated: true }), outcome('b', 0, { failure: 'no verdict' })];
  assert.equal(refinementOf(task, drafts, 1), task);
  assert.equal(refinementOf(task, [], 1), task);
});

const anOutcome = fc.record({
  quality: fc.constantFrom(0, 0.25, 1),
  truncated: fc.boolean(),
  failure: fc.constantFrom(null, 'no verdict'),
});

test('never a worse draft than another usable one; the same whatever their order', () => {
  fc.assert(
    fc.property(
      fc.array(anOutcome, { minLength: 1, maxLength: 8 }).chain((parts) => {
        const drafts = parts.map(({ quality, ...rest }, index) =>
          outcome(`g1/draft/3/${index}`, quality, rest),
        );
        return fc.record({
          drafts: fc.constant(drafts),
          shuffled: fc.shuffledSubarray(drafts, { minLength: drafts.length }),
          seed: fc.nat(),
        });
      }),
      ({ drafts, shuffled, seed }) => {
        const refinement = refinementOf(task, drafts, seed);
        assert.deepEqual(refinementOf(task, shuffled, seed), refinement);
        const usable = drafts.filter(({ truncated, failure }) => !truncated && failure === null);
        assert.equal(refinement.step, usable.length > 0 ? 'improve' : 'base');
        for (const { quality } of usable) assert.ok(refinement.instance.quality! >= quality);
      },
    ),
  );
});

test('equally good drafts are equally likely, and a run always chooses the same one', () => {
  const drafts = draftsOf(1, 0, 1, 1);
  const counts = [0, 0, 0];
  for (let seed = 0; seed < 3000; seed++)
    counts[['g1/draft/3/0', 'g1/draft/3/2', 'g1/draft/3/3'].indexOf(chosen(drafts, seed)!)]!++;
  // 99.9 % quantile of χ² with 2 degrees of freedom.
  assert.ok(chiSquare(counts, [1 / 3, 1 / 3, 1 / 3]) < 13.82, String(counts));
  assert.equal(chosen(drafts, 7), chosen(drafts, 7));
});

test('of an episode of several turns each is improved now and then', () => {
  const turn = (n: number): Turn => ({
    request: [{ role: 'user', content: `request ${n}` }],
    response: `response ${n}`,
    feedback: null,
  });
  const counts = [0, 0, 0];
  for (let seed = 0; seed < 900; seed++) {
    const { instance } = refinementOf(
      task,
      [outcome('g1/draft/3/0', 1, { laterTurns: [turn(1), turn(2)] })],
      seed,
    );
    counts[instance.turn]!++;
    assert.equal(instance.history.length, instance.turn + 1);
    assert.equal(instance.depth, 1);
  }
  assert.ok(chiSquare(counts, [1 / 3, 1 / 3, 1 / 3]) < 13.82, String(counts));
});

test('refinements are scored as any improve step, and nothing is kept for later', () => {
  const config = RunConfig.parse(igrpo);
  const draws = [
    refinementOf(draw(0, base('good')), draftsOf(1, 0), 1),
    refinementOf(draw(1, base('cut off')), [outcome('x', 0, { truncated: true })], 1),
  ];
  const group = (ordinal: number, qualities: number[]) =>
    qualities.map((quality, rollout) => outcome(`g1/${ordinal}/${rollout}`, quality));
  const { groups, curriculum, conservation } = scoreGroups({
    curriculum: emptyCurriculum(),
    draws,
    outcomes: [group(0, [1, 0, 1, 1]), group(1, [0, 0, 0, 0])],
    config,
    domainReward: 'verification',
    generation: 1,
    cursor: { epoch: 0, position: 2 },
  });
  assert.deepEqual(
    groups.map(({ step, dropped }) => [step, dropped]),
    [
      ['improve', null],
      ['base', 'noSignal'],
    ],
  );
  assert.deepEqual(curriculum.buffer, []);
  assert.deepEqual(conservation, { drawn: 2, trained: 1, withoutSignal: 1, filtered: {}, failed: {} });
});
