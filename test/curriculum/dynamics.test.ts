import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chancesOfSelection } from '../../activities/curriculum/chances.ts';
import {
  bufferDynamics,
  drawDynamics,
  groupDynamics,
  meanPairwiseDistance,
} from '../../activities/curriculum/dynamics.ts';
import { instanceOf } from '../../activities/curriculum/identity.ts';
import { truncate } from '../../activities/curriculum/insertion.ts';
import { quantiles } from '../../activities/curriculum/statistics.ts';
import { probabilities } from '../../activities/curriculum/strategies/weights.ts';
import type { Curriculum, StepKind } from '../../activities/curriculum/types.ts';
import { answeredOnce, base, begin, configWith, draw, entry } from './make.ts';

const curriculum = (generation: number, buffer: Curriculum['buffer']): Curriculum => ({
  schema: 2,
  generation,
  buffer,
  cursor: { epoch: 0, position: 0 },
});

test('draws: where they came from, how deep, and how long ago they had entered the buffer', () => {
  const [old, young] = [answeredOnce('a', 'old'), answeredOnce('b', 'young')];
  const before = curriculum(9, [
    entry(old, 0.1, { firstGeneration: 2 }),
    entry(young, 0.1, { firstGeneration: 8 }),
  ]);
  const drawn = drawDynamics(
    [draw(0, base('c')), draw(1, old, 'improve'), draw(2, base('d')), draw(3, young, 'diverge')],
    before,
    10,
  );
  assert.deepEqual(drawn, {
    prompts: 4,
    fromBuffer: 0.5,
    improve: 0.25,
    diverge: 0.25,
    meanRecency: 5,
    maxRecency: 8,
    meanDepth: 0.5,
    maxDepth: 1,
    promptsByDepth: [2, 2],
    meanTurn: 0,
  });
  const none = drawDynamics([draw(0, base('c'))], before, 10);
  assert.deepEqual([none.meanRecency, none.maxRecency, none.promptsByDepth], [null, null, [1]]);
});

test('groups: learnability by step kind, and the variance of qualities beside it', () => {
  const group = (step: StepKind, learnability: number, qualitiesG: number[]) => ({
    step,
    learnability,
    qualitiesG,
  });
  assert.deepEqual(
    groupDynamics([
      group('base', 0.25, [0, 1]),
      group('base', 0.05, [0.5, 0.5]),
      group('improve', 0.1, [0.2, 0.6]),
    ]),
    {
      learnabilityBase: 0.15,
      learnabilityImprove: 0.1,
      learnabilityDiverge: null,
      qualityVariance: (0.25 + 0 + 0.04) / 3,
    },
  );
  assert.equal(groupDynamics([]).qualityVariance, null);
});

test('an instance cut back to an earlier turn is as old as the entry it was cut from', () => {
  const turn = (response: string | null) => ({ request: begin('a'), response, feedback: null });
  const whole = instanceOf({
    baseTaskId: 'a',
    turn: 1,
    depth: 2,
    earlierDepths: [0],
    history: [turn('first'), turn('second')],
    quality: 0.5,
    parent: { instanceId: 'parent', rolloutId: 'g3/0/0' },
  });
  const before = curriculum(6, [entry(whole, 0.1, { firstGeneration: 3 })]);
  const cut = truncate(whole, 0, true);
  assert.notEqual(cut.id, whole.id);
  const { meanRecency, meanTurn } = drawDynamics([draw(0, cut, 'improve')], before, 7);
  assert.deepEqual([meanRecency, meanTurn], [4, 0]);
});

test('buffer: base tasks, learnability and the age of scores', () => {
  assert.deepEqual(bufferDynamics(curriculum(4, [])), { baseTasks: 0, score: null, scoreAge: null });
  const { baseTasks, score, scoreAge } = bufferDynamics(
    curriculum(8, [
      entry(answeredOnce('a', '1'), 0, { scoreGeneration: 8 }),
      entry(answeredOnce('a', '2'), 0.1, { scoreGeneration: 6 }),
      entry(answeredOnce('b', '3'), 0.2, { scoreGeneration: 1 }),
    ]),
  );
  assert.equal(baseTasks, 2);
  assert.deepEqual([score?.least, score?.median, score?.most], [0, 0.1, 0.2]);
  assert.deepEqual(scoreAge, { least: 0, lowerQuartile: 1, median: 2, upperQuartile: 4.5, most: 7 });
});

test('quantiles: in order, within the numbers, and half of them on each side of the median', () => {
  assert.equal(quantiles([]), null);
  const number = fc.double({ min: -1e6, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(fc.array(number, { minLength: 1, maxLength: 40 }), (numbers) => {
      const { least, lowerQuartile, median, upperQuartile, most } = quantiles(numbers)!;
      assert.deepEqual(
        [least, most],
        [Math.min(...numbers) + 0, Math.max(...numbers) + 0].map((x) => x),
      );
      const slack = 1e-9 * (1 + Math.abs(most) + Math.abs(least));
      const five = [least, lowerQuartile, median, upperQuartile, most];
      for (let i = 1; i < five.length; i++) assert.ok(five[i]! >= five[i - 1]! - slack, String(five));
      assert.ok(2 * numbers.filter((each) => each <= median + slack).length >= numbers.length);
      assert.ok(2 * numbers.filter((each) => each >= median - slack).length >= numbers.length);
    }),
  );
});

const vector = fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 3, maxLength: 3 });
const vectors = fc.array(vector, { minLength: 2, maxLength: 8 });
const near = (a: number, b: number) => assert.ok(Math.abs(a - b) <= 1e-6 * (1 + Math.abs(b)), `${a} ${b}`);

test('distance: the mean over pairs, whatever their order', () => {
  assert.equal(meanPairwiseDistance([[1, 2]]), null);
  const right = meanPairwiseDistance([
    [1, 0],
    [0, 1],
    [3, 0],
  ])!;
  near(right.l2, (Math.SQRT2 + 2 + Math.sqrt(10)) / 3);
  near(right.cosine, 2 / 3);
  fc.assert(
    fc.property(vectors, (some) => {
      const [a, b] = [meanPairwiseDistance(some)!, meanPairwiseDistance([...some].reverse())!];
      near(a.l2, b.l2);
      near(a.cosine, b.cosine);
      assert.ok(a.cosine >= 0 && a.cosine <= 2);
    }),
  );
});

test('distance: a cosine is one, however short the vectors', () => {
  const [here, there] = [
    [5e-234, -6.86e-159, -2.9e-222],
    [-8e-252, 5.4e-46, -8e-82],
  ];
  assert.equal(meanPairwiseDistance([here!, there!])?.cosine, 2);
});

test('distance: equal answers have none; L2 ignores where they are, cosine how long they are', () => {
  fc.assert(
    fc.property(vectors, vector, fc.double({ min: 0.1, max: 10, noNaN: true }), (some, shift, scale) => {
      const { l2, cosine } = meanPairwiseDistance(some)!;
      near(meanPairwiseDistance(some.map((each) => each.map((x, i) => x + shift[i]!)))!.l2, l2);
      const scaled = meanPairwiseDistance(some.map((each) => each.map((x) => scale * x)))!;
      near(scaled.l2, scale * l2);
      if (some.every((each) => Math.hypot(...each) > 1e-6)) near(scaled.cosine, cosine);
      assert.equal(meanPairwiseDistance([shift, shift, shift])!.l2, 0);
    }),
  );
});

test('chances: those of the strategy’s weights for one slot, and 0 before the buffer is large enough', () => {
  const scores = [0, 0.1, 0.25];
  const state = curriculum(
    3,
    scores.map((score, i) => entry(answeredOnce(`t${i}`, 'x'), score, { ordinal: i, scoreGeneration: 3 })),
  );
  const with1 = configWith({ minimumSize: 3, selectProbability: 1 });
  const config = { ...with1, sampling: { ...with1.sampling, promptsPerGeneration: 1 } };
  const chances = [...chancesOfSelection(state, config).values()];
  const expected = probabilities(scores.map((score) => 10 * score));
  expected.forEach((chance, i) => assert.ok(Math.abs(chances[i]! - chance) < 0.05, `${chances} ${expected}`));
  const all = chancesOfSelection(state, {
    ...config,
    sampling: { ...config.sampling, promptsPerGeneration: 3 },
  });
  assert.deepEqual([...all.values()], [1, 1, 1]);
  const small = configWith({ minimumSize: 4, selectProbability: 1 });
  assert.deepEqual([...chancesOfSelection(state, small).values()], [0, 0, 0]);
  assert.deepEqual(chancesOfSelection(curriculum(0, []), configWith({ minimumSize: 1 })).size, 0);
});
