import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { strategyOf } from '../../activities/curriculum/strategies/index.ts';
import {
  effectiveSampleSize,
  mixedWithAge,
  probabilities,
  withoutReplacement,
} from '../../activities/curriculum/strategies/weights.ts';
import type { BufferEntry } from '../../activities/curriculum/types.ts';
import { keyOf, stream, uniform } from '../../activities/random.ts';
import type { SelectionConfig } from '../../workflows/contract/selection.ts';
import { answeredOnce, base, chiSquare, entry, observed } from './make.ts';

const configs: readonly SelectionConfig[] = [
  { name: 'uniform' },
  { name: 'softmax', inverseTemperature: 10, staleness: 0.1, perEpisode: true },
  { name: 'plr-rank', temperature: 0.5, staleness: 0.1 },
  { name: 'prompt-replay', passRate: { low: 0.24, high: 0.7 }, cooldown: 5, maxVisits: 6 },
  { name: 'pr-grpo', smoothing: 0.3, retestAfter: 10 },
  { name: 'difficulty-pool', easyFrom: 0.8, hardUpTo: 0.2, easyShare: 0.1, hardShare: 0.2 },
];

/** Takes whatever was seen less than three times. */
const replay = { name: 'prompt-replay', passRate: { low: 0, high: 1 }, cooldown: 0, maxVisits: 3 } as const;

/** An entry of a task of its own. */
const one = (index: number, rest: Partial<BufferEntry> = {}) =>
  entry(base(`task-${index}`), rest.score ?? 0.1, { ordinal: index, ...rest });
const proposing = (generation: number, seed = 1) => ({
  generation,
  random: (id: string) => uniform(keyOf([seed, generation, id]), 0),
});
/** How often each entry is proposed first, over many generations that differ in their random numbers alone. */
function firstOnes(config: SelectionConfig, buffer: readonly BufferEntry[], trials: number, generation = 2) {
  const counts = buffer.map(() => 0);
  for (let seed = 0; seed < trials; seed++)
    counts[buffer.indexOf(strategyOf(config).propose(buffer, proposing(generation, seed))[0]!)]!++;
  return counts;
}
const tasks = (proposed: readonly BufferEntry[]) => proposed.map(({ ordinal }) => ordinal);

for (const config of configs)
  test(`${config.name}: never over N, every entry once, the same whatever the order of the buffer`, () => {
    const strategy = strategyOf(config);
    const instances = Array.from({ length: 20 }, (_, i) => answeredOnce(`task-${i % 5}`, `answer ${i}`));
    const arrivals = fc.array(
      fc.record({
        instance: fc.constantFrom(...instances),
        score: fc.constantFrom(0, 0.1, 0.25),
        passRate: fc.constantFrom(0, 0.25, 0.5, 1),
        inherited: fc.boolean(),
      }),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(fc.array(arrivals, { minLength: 1, maxLength: 8 }), (generations) => {
        let buffer: BufferEntry[] = [];
        generations.forEach((news, i) => {
          buffer = strategy.observe(buffer, { ...observed(news, i + 1, 8), maxPerBaseTask: 3 });
          const context = proposing(i + 2);
          const proposed = strategy.propose(buffer, context);
          assert.deepEqual(strategy.propose(buffer.toReversed(), context), proposed);
          assert.equal(new Set(proposed).size, proposed.length);
          assert.ok(proposed.every((each) => buffer.includes(each)));
          assert.ok(buffer.length <= 8);
          for (const { instance } of buffer)
            assert.ok(buffer.filter((each) => each.instance.baseTaskId === instance.baseTaskId).length <= 3);
          assert.ok(Object.values(strategy.metrics(buffer, i + 2)).every(Number.isFinite));
        });
      }),
      { numRuns: 60 },
    );
  });

test('uniform and igrpo keep nothing', () => {
  const arrival = { instance: base('a'), score: 0.25, passRate: 0.5, inherited: false };
  for (const config of [{ name: 'uniform' }, { name: 'igrpo', drafts: 4 }] as const)
    assert.deepEqual(strategyOf(config).observe([], observed([arrival], 1)), []);
});

test('Gumbel-top-k is sequential sampling without replacement', () => {
  const scores = [0, 0.1, 0.2, 0.25];
  const buffer = scores.map((score, index) => entry(answeredOnce(`task-${index}`, 'x'), score));
  const random = stream(['gumbel test']);
  const weights = scores.map((score) => Math.exp(10 * score));
  const pairs = scores.flatMap((_, first) =>
    scores.flatMap((_, second) => (first === second ? [] : [[first, second] as const])),
  );
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const probabilities = pairs.map(
    ([first, second]) => (weights[first]! / sum) * (weights[second]! / (sum - weights[first]!)),
  );
  const counts = pairs.map(() => 0);
  for (let trial = 0; trial < 20_000; trial++) {
    const order = withoutReplacement(
      buffer,
      scores.map((score) => 10 * score),
      random,
    );
    const [first, second] = order.map((each) => buffer.indexOf(each));
    counts[pairs.findIndex((pair) => pair[0] === first && pair[1] === second)]!++;
  }
  // 99.9 % quantile of χ² with 11 degrees of freedom.
  assert.ok(chiSquare(counts, probabilities) < 31.26, String(counts));
});

test('staleness mixes in draws in proportion to the age of scores', () => {
  // Ages 9, 4, 0 at generation 10; equal scores.
  const buffer = [1, 6, 10].map((scoreGeneration, i) => one(i, { scoreGeneration }));
  const config = {
    name: 'softmax',
    inverseTemperature: 10,
    staleness: 0.3,
    perEpisode: false,
  } as const;
  const expected = [9, 4, 0].map((age) => 0.7 / 3 + (0.3 * age) / 13);
  const close = (a: number[], b: number[]) => a.forEach((x, i) => assert.ok(Math.abs(x - b[i]!) < 1e-12));
  close(probabilities(mixedWithAge([1, 1, 1], buffer, 10, 0.3)), expected);
  // 99.9 % quantile of χ² with 2 degrees of freedom.
  const counts = firstOnes(config, buffer, 4000, 10);
  assert.ok(chiSquare(counts, expected) < 13.82, String(counts));
});

test('the turns of an episode share one weight when asked to', () => {
  const ofEpisode = (rolloutId: string, i: number) =>
    one(i, { instance: { ...answeredOnce(`t${i}`, 'x'), parent: { instanceId: 'p', rolloutId } } });
  const buffer = [ofEpisode('long', 0), ofEpisode('long', 1), ofEpisode('long', 2), ofEpisode('short', 3)];
  const counts = firstOnes(
    { name: 'softmax', inverseTemperature: 10, staleness: 0, perEpisode: true },
    buffer,
    3000,
  );
  // 99.9 % quantile of χ² with 3 degrees of freedom.
  assert.ok(chiSquare(counts, [1 / 6, 1 / 6, 1 / 6, 1 / 2]) < 16.27, String(counts));
});

test('plr-rank draws in proportion to rank^(−1/τ), equals sharing their ranks', () => {
  const buffer = [0.05, 0.25, 0.1, 0.1].map((score, i) => one(i, { score }));
  const weights = [4, 1, 2.5, 2.5].map((rank) => rank ** -2);
  const sum = weights.reduce((a, b) => a + b);
  const counts = firstOnes({ name: 'plr-rank', temperature: 0.5, staleness: 0 }, buffer, 4000);
  assert.ok(
    chiSquare(
      counts,
      weights.map((weight) => weight / sum),
    ) < 16.27,
    String(counts),
  );
});

test('prompt-replay: a window of pass rates, a rest, and a limit of visits', () => {
  const config = { ...replay, passRate: { low: 0.25, high: 0.7 }, cooldown: 5 };
  const buffer = [
    one(0, { passRate: 0.25 }),
    one(1, { passRate: 0.5 }),
    one(2, { passRate: 0.75 }),
    one(3, { passRate: 0.125 }),
    one(4, { passRate: 0.5, visits: 3 }),
    one(5, { passRate: 0.5, scoreGeneration: 4 }),
  ];
  const strategy = strategyOf(config);
  assert.deepEqual(tasks(strategy.propose(buffer, proposing(6))), []);
  assert.deepEqual(tasks(strategy.propose(buffer, proposing(7))), [1, 0]);
  assert.deepEqual(tasks(strategy.propose(buffer, proposing(10))).sort(), [0, 1, 5]);
  assert.deepEqual(strategy.metrics(buffer, 7), { replayable: 3, rested: 2 });
});

test('pr-grpo: the most uncertain first, but what was not seen for long before all', () => {
  const strategy = strategyOf({ name: 'pr-grpo', smoothing: 0.25, retestAfter: 10 });
  const buffer = [
    one(0, { passRate: 1, scoreGeneration: 2 }),
    one(1, { passRate: 0.5, scoreGeneration: 8 }),
    one(2, { passRate: 0.25, scoreGeneration: 9 }),
    one(3, { passRate: 0, scoreGeneration: 1 }),
    one(4, { passRate: 0, scoreGeneration: 9 }),
  ];
  assert.deepEqual(tasks(strategy.propose(buffer, proposing(10))).slice(0, 2), [1, 2]);
  assert.deepEqual(tasks(strategy.propose(buffer, proposing(12))), [3, 0, 1, 2, 4]);
  assert.equal(strategy.metrics(buffer, 12)['due'], 2);
  // p̂ moves a quarter of the way to each measured pass rate; an inherited one is none.
  const seen = { instance: buffer[1]!.instance, score: 0, passRate: 1 };
  const passRate = (inherited: boolean) =>
    strategy.observe(buffer, observed([{ ...seen, inherited }], 11)).find(({ ordinal }) => ordinal === 1)!
      .passRate;
  assert.equal(passRate(false), 0.625);
  assert.equal(passRate(true), 0.5);
  // Nor does what another rollout grew put off the test.
  const grown = { ...seen, instance: buffer[3]!.instance, inherited: true };
  const after = strategy.observe(buffer, observed([grown], 11));
  assert.equal(tasks(strategy.propose(after, proposing(12)))[0], 3);
});

test('pass rates as far from one half on either side are equals', () => {
  const buffer = [one(0, { passRate: 0.2 }), one(1, { passRate: 0.8 })];
  for (const config of [replay, { name: 'pr-grpo', smoothing: 1, retestAfter: 1000 } as const]) {
    const [first] = firstOnes(config, buffer, 2000);
    // Five standard deviations.
    assert.ok(Math.abs(first! - 1000) < 112, `${config.name}: ${first}`);
  }
});

test('a full buffer gives up what the strategy ranks last', () => {
  const kept = (config: SelectionConfig, passRates: readonly number[]) => {
    const buffer = passRates.map((passRate, i) =>
      one(i, { passRate, score: passRate, scoreGeneration: i + 1 }),
    );
    const last = buffer.at(-1)!;
    const arrival = { instance: last.instance, score: last.score, passRate: last.passRate, inherited: false };
    const observedFull = { ...observed([arrival], 9), capacity: passRates.length - 1 };
    return strategyOf(config)
      .observe(buffer.slice(0, -1), observedFull)
      .map(({ instance }) => instance.baseTaskId)
      .sort();
  };
  assert.deepEqual(kept({ name: 'pr-grpo', smoothing: 1, retestAfter: 10 }, [0.5, 0, 0.25]), [
    'task-0',
    'task-2',
  ]);
  assert.deepEqual(
    kept(replay, [0.5, 0.25, 0]),
    ['task-1', 'task-2'],
    'the oldest, though its score is the highest',
  );
});

test('difficulty-pool: shares of the draws, and nothing from a pool without one', () => {
  const pools = { easy: 1, normal: 0.5, hard: 0 };
  const buffer = Object.values(pools).flatMap((passRate, pool) =>
    Array.from({ length: 40 }, (_, i) => one(40 * pool + i, { passRate })),
  );
  const propose = (easyShare: number, hardShare: number) =>
    strategyOf({ name: 'difficulty-pool', easyFrom: 0.8, hardUpTo: 0.2, easyShare, hardShare }).propose(
      buffer,
      proposing(3),
    );
  const count = (proposed: readonly BufferEntry[], passRate: number) =>
    proposed.filter((each) => each.passRate === passRate).length;
  for (const draws of [10, 20, 50]) {
    const first = propose(0.1, 0.2).slice(0, draws);
    assert.deepEqual(
      [1, 0.5, 0].map((rate) => count(first, rate)),
      [0.1, 0.7, 0.2].map((share) => Math.round(share * draws)),
    );
  }
  assert.equal(count(propose(0, 0.2), 1), 0);
  assert.equal(propose(0, 0.2).length, 80);
});

test('the effective sample size of n equal weights is n, of one weight above all others 1', () => {
  assert.ok(Math.abs(effectiveSampleSize([3, 3, 3, 3]) - 4) < 1e-12);
  assert.ok(Math.abs(effectiveSampleSize([100, 3, 3, 3]) - 1) < 1e-12);
  assert.equal(effectiveSampleSize([]), 0);
});
