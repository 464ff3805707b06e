import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { insert } from '../../activities/curriculum/insertion.ts';
import { countedScores } from '../../activities/curriculum/scoreAge.ts';
import { strategyOf } from '../../activities/curriculum/strategies/index.ts';
import { answeredOnce, base, entry, observed } from './make.ts';

const of = (task: number, answer: number, score: number, scoreGeneration: number) =>
  entry(answeredOnce(`task-${task}`, `answer ${answer}`), score, { scoreGeneration, ordinal: answer });
const close = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual}, expected ${expected}`);

test('an old score gives way to the newer ones of its base task, by and by', () => {
  const kin = [of(0, 0, 0.25, 2), of(0, 1, 0.1, 11), of(0, 2, 0.2, 12), of(1, 3, 0, 12)];
  const counted = (maxScoreAge?: number) => countedScores(kin, 12, maxScoreAge);
  assert.deepEqual(counted(), [0.25, 0.1, 0.2, 0]);
  assert.deepEqual(counted(10), [0.25, 0.1, 0.2, 0]);
  // Half as old as it is: half its own, half the mean of 0.1 and 0.2.
  close(counted(5)[0]!, (0.25 + 0.15) / 2);
  assert.deepEqual(counted(5).slice(1), [0.1, 0.2, 0]);
});

test('without newer scores of its base task those of all count, and without any its own', () => {
  const [alone] = countedScores([of(0, 0, 0.25, 2), of(1, 1, 0.05, 12), of(2, 2, 0.15, 12)], 12, 5);
  close(alone!, (0.25 + 0.1) / 2);
  assert.deepEqual(countedScores([of(0, 0, 0.25, 2), of(0, 1, 0.1, 3)], 12, 5), [0.25, 0.1]);
});

const entries = fc
  .uniqueArray(
    fc.record({
      task: fc.nat(3),
      answer: fc.nat(30),
      score: fc.double({ min: 0, max: 0.25, noNaN: true }),
      generation: fc.integer({ min: 1, max: 20 }),
    }),
    { minLength: 1, maxLength: 12, selector: ({ task, answer }) => `${task}/${answer}` },
  )
  .map((parts) => parts.map(({ task, answer, score, generation }) => of(task, answer, score, generation)));

test('scores that count lie between those measured, fresh ones stay, and order does not matter', () => {
  fc.assert(
    fc.property(
      entries,
      fc.integer({ min: 1, max: 25 }),
      fc.integer({ min: 20, max: 40 }),
      (buffer, most, now) => {
        const counted = countedScores(buffer, now, most);
        const measured = buffer.map(({ score }) => score);
        for (const [i, { score, scoreGeneration }] of buffer.entries()) {
          if (now - scoreGeneration <= most) assert.equal(counted[i], score);
          assert.ok(
            counted[i]! >= Math.min(...measured) - 1e-12 && counted[i]! <= Math.max(...measured) + 1e-12,
          );
        }
        assert.deepEqual(countedScores(buffer.toReversed(), now, most), counted.toReversed());
        assert.deepEqual(countedScores(buffer, now, undefined), measured);
      },
    ),
  );
});

test('the older a score the nearer it counts to what is known since, without a jump', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 0.25, noNaN: true }),
      fc.double({ min: 0, max: 0.25, noNaN: true }),
      fc.integer({ min: 1, max: 20 }),
      (old, fresh, most) => {
        const distances = Array.from({ length: 60 }, (_, age) => {
          const [counted] = countedScores([of(0, 0, old, 100 - age), of(0, 1, fresh, 100)], 100, most);
          return Math.abs(counted! - fresh);
        });
        const gap = Math.abs(old - fresh);
        for (const [age, distance] of distances.entries()) {
          if (age > 0) assert.ok(distance <= distances[age - 1]! + 1e-12);
          close(distance, age <= most ? gap : (gap * most) / age);
        }
      },
    ),
  );
});

test('a full buffer gives up a score of long ago for a newer, lower one; without a limit it keeps it', () => {
  const buffer = [of(0, 0, 0.25, 1), of(0, 1, 0.02, 39), of(1, 2, 0.2, 39)];
  const arrival = { instance: base('task-2'), score: 0.19, passRate: 0.5, inherited: false };
  const kept = (maxScoreAge?: number) =>
    insert(buffer, observed([arrival], 40, 2), maxScoreAge).map(({ score }) => score);
  assert.deepEqual(kept(), [0.25, 0.2]);
  assert.deepEqual(kept(2), [0.2, 0.19]);
});

for (const config of [
  { name: 'softmax', inverseTemperature: 10, staleness: 0, perEpisode: false },
  { name: 'plr-rank', temperature: 0.1, staleness: 0 },
] as const)
  test(`${config.name}: an old score is selected as what it counts, and told of`, () => {
    const buffer = [of(0, 0, 0.25, 1), of(0, 1, 0, 40), of(1, 2, 0.2, 40)];
    const propose = (maxScoreAge?: number) =>
      strategyOf({ ...config, ...(maxScoreAge !== undefined && { maxScoreAge }) })
        .propose(buffer, { generation: 41, random: () => 0.5 })
        .map(({ score }) => score);
    assert.deepEqual(propose(), [0.25, 0.2, 0]);
    assert.deepEqual(propose(2), [0.2, 0.25, 0]);
    const { metrics } = strategyOf({ ...config, maxScoreAge: 2 });
    assert.equal(metrics(buffer, 41)['aged'], 1);
    assert.ok(!('aged' in strategyOf(config).metrics(buffer, 41)));
  });
