import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { emptyCurriculum, scoreGroups } from '../../activities/curriculum/score.ts';
import type { Curriculum, Draw, Outcome } from '../../activities/curriculum/types.ts';
import type { RunConfig } from '../../workflows/contract/config.ts';
import { answeredOnce, base, configWith, draw, entry } from './make.ts';

/** One single-turn generation, written straight down from the method, sharing no code with the house. */
function straightLine(
  before: Curriculum,
  draws: Draw[],
  outcomes: Outcome[][],
  { curriculum: { capacity }, training: { overlong } }: RunConfig,
) {
  const sha = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex');
  const groups = [];
  const buffer = before.buffer.map((known) => ({
    id: known.instance.id,
    score: known.score,
    at: known.scoreGeneration,
    order: [known.firstGeneration, known.ordinal],
    own: !known.inherited,
  }));
  let arrived = 0;
  for (const [index, { instance }] of draws.entries()) {
    const group = outcomes[index]!;
    if (group.some(({ failure }) => failure)) {
      groups.push({ dropped: 'graderFailed', advantages: group.map(() => 0) });
      continue;
    }
    const rewards = group.map(({ quality }) => quality);
    const mean = rewards.reduce((a, b) => a + b) / rewards.length;
    const variance = rewards.map((r) => (r - mean) ** 2).reduce((a, b) => a + b) / rewards.length;
    const cut = overlong === 'mask' && !group.some(({ truncated }) => !truncated);
    groups.push({
      dropped: Math.max(...rewards) === Math.min(...rewards) ? 'noSignal' : cut ? 'overlong' : null,
      advantages: rewards.map((r) => (r - mean) / (Math.sqrt(variance) + 1e-8)),
    });
    const request = instance.history[0]!.request.map(({ content, role }) => ({ content, role }));
    const ids = [
      { id: instance.id, own: true },
      ...group
        .filter(({ truncated }) => !truncated)
        .map(({ response }) => ({
          id: sha([instance.baseTaskId, 0, [{ feedback: null, request, response }]]),
          own: false,
        })),
    ];
    for (const { id, own } of ids) {
      const known = buffer.find((one) => one.id === id);
      if (!known) buffer.push({ id, score: variance, at: 2, order: [2, arrived], own });
      else if (own || known.at < 2 || !known.own) Object.assign(known, { score: variance, at: 2, own });
      arrived++;
    }
  }
  while (buffer.length > capacity) {
    const worst = buffer.toSorted(
      (a, b) => a.score - b.score || a.at - b.at || a.order[0]! - b.order[0]! || a.order[1]! - b.order[1]!,
    )[0]!;
    buffer.splice(buffer.indexOf(worst), 1);
  }
  return { groups, ids: new Map(buffer.map(({ id, score }) => [id, score])) };
}

test('a generation’s scoring equals a straight-line reimplementation on random inputs', () => {
  const starts = ['a', 'b', 'c'].flatMap((name) => [
    base(name),
    answeredOnce(name, 'yes'),
    answeredOnce(name, 'no'),
  ]);
  const oneOutcome = fc.record({
    // Multiples of 1/8 so that both ways of summing give the same bits.
    quality: fc.constantFrom(0, 0.5, 1),
    response: fc.constantFrom('yes', 'no', 'perhaps', ' yes'),
    truncated: fc.boolean(),
    failure: fc.oneof(
      { weight: 30, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: fc.constant('broken') },
    ),
  });
  /** That every kind of group was there, and entries of the buffer to compare. */
  const seen = { trained: 0, withoutSignal: 0, overlong: 0, failed: 0, kept: 0, full: 0 };
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.constantFrom(...starts.keys()), { minLength: 1, maxLength: 6 }),
      fc.array(fc.tuple(fc.constantFrom(...starts.keys()), fc.constantFrom(0, 0.1875, 0.25), fc.boolean()), {
        maxLength: 6,
      }),
      fc.array(fc.array(oneOutcome, { minLength: 4, maxLength: 4 }), { minLength: 6, maxLength: 6 }),
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom('train' as const, 'mask' as const),
      (chosen, held, played, capacity, overlong) => {
        const config = configWith({ selectProbability: 0.5, expand: 'all', capacity }, { overlong });
        const unique = [...new Map(held.map((one) => [one[0], one])).values()];
        const before: Curriculum = {
          ...emptyCurriculum(),
          generation: 1,
          buffer: unique.map(([start, score, inherited], ordinal) =>
            entry(starts[start]!, score, { inherited, ordinal }),
          ),
        };
        const draws = chosen.map((start, ordinal) => draw(ordinal, starts[start]!));
        const outcomes = draws.map((_, index) =>
          played[index]!.map((one, rollout) => ({ ...one, rolloutId: `${index}-${rollout}` })),
        );
        const expected = straightLine(before, draws, outcomes, config);
        const actual = scoreGroups({
          curriculum: before,
          draws,
          outcomes,
          config,
          domainReward: 'verification',
          generation: 2,
          cursor: { epoch: 0, position: 2 },
        });
        for (const [index, { dropped, rollouts }] of actual.groups.entries()) {
          assert.equal(dropped, expected.groups[index]!.dropped);
          rollouts.forEach(({ advantage }, rollout) =>
            assert.ok(Math.abs(advantage - expected.groups[index]!.advantages[rollout]!) < 1e-9),
          );
        }
        const kept = new Map(actual.curriculum.buffer.map((one) => [one.instance.id, one.score]));
        assert.deepEqual([...kept.keys()].sort(), [...expected.ids.keys()].sort());
        for (const [id, value] of kept) assert.ok(Math.abs(value - expected.ids.get(id)!) < 1e-12);
        const { drawn, trained, withoutSignal, filtered, failed } = actual.conservation;
        const [overlongs, failures] = [filtered['overlong'] ?? 0, failed['graderFailed'] ?? 0];
        assert.equal(drawn, trained + withoutSignal + overlongs + failures);
        seen.trained += trained;
        seen.withoutSignal += withoutSignal;
        seen.overlong += overlongs;
        seen.failed += failures;
        seen.kept += kept.size;
        if (kept.size === capacity) seen.full++;
      },
    ),
    { numRuns: 1000 },
  );
  for (const [kind, count] of Object.entries(seen)) assert.ok(count > 0, kind);
});
