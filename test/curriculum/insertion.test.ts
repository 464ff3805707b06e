import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { expand, insert, truncate, type Arrival } from '../../activities/curriculum/insertion.ts';
import type { BufferEntry } from '../../activities/curriculum/types.ts';
import { answeredOnce, base, draw, entry, observed, outcome } from './make.ts';

const instances = Array.from({ length: 30 }, (_, index) => answeredOnce(`task-${index}`, 'x'));
const scores = fc.constantFrom(0, 0.109375, 0.1875, 0.234375, 0.25);
const arrivalsOf = fc.array(
  fc.record({
    instance: fc.constantFrom(...instances),
    score: scores,
    passRate: fc.constantFrom(0, 0.25, 1),
    inherited: fc.boolean(),
  }),
  { maxLength: 20 },
);

/** The paper's rule, one arrival at a time: replace the lowest (of equals the oldest score) when S is ≥ it. */
function insertOneByOne(
  buffer: BufferEntry[],
  arrivals: Arrival[],
  capacity: number,
  generation: number,
): BufferEntry[] {
  const kept = [...buffer];
  // Scores of known instances first: a rescored entry competes with its new score.
  for (const known of kept) {
    const news = arrivals.filter(({ instance }) => instance.id === known.instance.id);
    const measured = news.findLast(({ inherited }) => !inherited);
    const latest = measured ?? news.at(-1);
    if (!latest) continue;
    kept[kept.indexOf(known)] = {
      ...known,
      score: latest.score,
      passRate: measured || known.visits === 0 ? latest.passRate : known.passRate,
      visitGeneration: measured ? generation : known.visitGeneration,
      inherited: latest.inherited,
      visits: known.visits + news.filter(({ inherited }) => !inherited).length,
      scoreGeneration: generation,
    };
  }
  const fresh = new Map<string, BufferEntry>();
  for (const [ordinal, { instance, score, passRate, inherited }] of arrivals.entries()) {
    if (buffer.some((known) => known.instance.id === instance.id)) continue;
    const before = fresh.get(instance.id);
    if (before && !before.inherited && inherited) continue;
    fresh.set(instance.id, {
      ...entry(instance, score, {
        passRate,
        inherited,
        firstGeneration: generation,
        scoreGeneration: generation,
      }),
      ordinal: before?.ordinal ?? ordinal,
      visits: (before?.visits ?? 0) + (inherited ? 0 : 1),
      visitGeneration: inherited ? null : generation,
    });
  }
  for (const arrival of fresh.values()) {
    if (kept.length < capacity) {
      kept.push(arrival);
      continue;
    }
    const lowest = kept.reduce((low, one) =>
      one.score < low.score ||
      (one.score === low.score &&
        (one.scoreGeneration < low.scoreGeneration ||
          (one.scoreGeneration === low.scoreGeneration &&
            (one.firstGeneration < low.firstGeneration ||
              (one.firstGeneration === low.firstGeneration && one.ordinal < low.ordinal)))))
        ? one
        : low,
    );
    if (arrival.score >= lowest.score) kept[kept.indexOf(lowest)] = arrival;
  }
  return kept.sort((a, b) => a.firstGeneration - b.firstGeneration || a.ordinal - b.ordinal);
}

test('insertion is the rule of Algorithm 1 applied one arrival after the other', () => {
  fc.assert(
    fc.property(
      fc.array(arrivalsOf, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 12 }),
      (generations, capacity) => {
        let buffer: BufferEntry[] = [];
        for (const [index, arrivals] of generations.entries()) {
          const expected = insertOneByOne(buffer, arrivals, capacity, index + 1);
          buffer = insert(buffer, observed(arrivals, index + 1, capacity));
          assert.deepEqual(buffer, expected);
          assert.ok(buffer.length <= capacity);
          assert.equal(new Set(buffer.map(({ instance }) => instance.id)).size, buffer.length);
        }
      },
    ),
  );
});

test('no entry left out is better than one kept', () => {
  fc.assert(
    fc.property(arrivalsOf, fc.integer({ min: 1, max: 8 }), (arrivals, capacity) => {
      const all = insert([], observed(arrivals, 1));
      const kept = insert([], observed(arrivals, 1, capacity));
      const lowest = Math.min(...kept.map(({ score }) => score));
      const left = all.filter(({ instance }) => !kept.some((one) => one.instance.id === instance.id));
      assert.equal(kept.length, Math.min(capacity, all.length));
      assert.ok(left.every(({ score }) => score <= lowest));
    }),
  );
});

test('among equals the oldest score leaves, also when its entry is the younger one', () => {
  const [a, b, c] = instances as [(typeof instances)[0], (typeof instances)[0], (typeof instances)[0]];
  const buffer = [
    entry(a, 0.1, { firstGeneration: 1, scoreGeneration: 5 }),
    entry(b, 0.1, { firstGeneration: 3, scoreGeneration: 3 }),
  ];
  const after = insert(buffer, observed([{ instance: c, score: 0.1, passRate: 0, inherited: true }], 6, 2));
  assert.deepEqual(
    after.map(({ instance }) => instance.id),
    [a.id, c.id],
  );
});

test('a visit overwrites the score and keeps the origin; a lower arrival stays out', () => {
  const [a, b] = instances as [(typeof instances)[0], (typeof instances)[0]];
  const buffer = [entry(a, 0.25, { inherited: true, visits: 0, firstGeneration: 2, ordinal: 7 })];
  const visited = insert(
    buffer,
    observed([{ instance: { ...a, depth: 9 }, score: 0.2, passRate: 0.75, inherited: false }], 4, 1),
  );
  assert.deepEqual(visited, [
    entry(a, 0.2, { passRate: 0.75, visits: 1, firstGeneration: 2, scoreGeneration: 4, ordinal: 7 }),
  ]);
  assert.deepEqual(
    insert(visited, observed([{ instance: b, score: 0.19, passRate: 0, inherited: false }], 5, 1)),
    visited,
  );
});

test('of one base task only so many stay, the best of them', () => {
  const arrivals = ['a', 'b'].flatMap((task) =>
    [0.1, 0.25, 0.2].map((score, i) => ({
      instance: answeredOnce(task, `${i}`),
      score: task === 'a' ? score : score / 10,
      passRate: 0.5,
      inherited: true,
    })),
  );
  const kept = insert([], { ...observed(arrivals, 1, 4), maxPerBaseTask: 2 });
  assert.deepEqual(
    kept.map(({ instance, score }) => [instance.baseTaskId, score]),
    [
      ['a', 0.25],
      ['a', 0.2],
      ['b', 0.025],
      ['b', 0.02],
    ],
  );
});

test('an answer repeated word for word is no new instance: its own measured score counts', () => {
  const start = answeredOnce('task', 'same');
  const [child] = expand(draw(0, start, 'improve'), outcome('r1', 1, { response: 'same' }), true);
  assert.equal(child!.id, start.id);
  const arrivals = [
    { instance: start, score: 0.2, passRate: 0.5, inherited: false },
    { instance: child!, score: 0.2, passRate: 0.5, inherited: true },
  ];
  const [kept, ...others] = insert([], observed(arrivals, 3, 8));
  assert.equal(others.length, 0);
  assert.equal(kept!.inherited, false);
  assert.equal(kept!.instance.depth, 1);
});

test('a single-turn rollout grows one instance, a step deeper, from the latest iterate only', () => {
  const start = answeredOnce('task', 'first');
  const [child, ...others] = expand(
    draw(3, start, 'improve'),
    outcome('r9', 0.5, { response: 'second' }),
    true,
  );
  assert.equal(others.length, 0);
  assert.deepEqual(
    { ...child, id: null },
    {
      id: null,
      baseTaskId: 'task',
      kind: 'selfIteration',
      turn: 0,
      depth: 2,
      history: [{ ...start.history[0]!, response: 'second', feedback: null }],
      quality: 0.5,
      parent: { instanceId: start.id, rolloutId: 'r9' },
    },
  );
  assert.deepEqual(expand(draw(3, base('task')), outcome('r9', 0.5), false), []);
});

test('an episode of several turns grows an instance for each turn it is the first to reach', () => {
  const later = [1, 2].map((number) => ({
    request: [{ role: 'user' as const, content: `request ${number}` }],
    response: `response ${number}`,
    feedback: `feedback ${number}`,
  }));
  const start = answeredOnce('task', 'old');
  const played = outcome('r', 1, { response: 'new', feedback: 'seen', laterTurns: later });
  const grown = expand(draw(0, start, 'improve'), played, true);
  assert.deepEqual(
    grown.map(({ turn, depth, earlierDepths, kind }) => ({ turn, depth, earlierDepths, kind })),
    [
      { turn: 0, depth: 2, earlierDepths: undefined, kind: 'selfIteration' },
      { turn: 1, depth: 1, earlierDepths: [1], kind: 'selfIteration' },
      { turn: 2, depth: 1, earlierDepths: [1, 0], kind: 'selfIteration' },
    ],
  );
  assert.deepEqual(grown[2]!.history, [
    { ...start.history[0]!, response: 'new', feedback: 'seen' },
    ...later,
  ]);
  // Taking up the longest one at turn 0 or 1 leads to the shorter ones.
  assert.deepEqual(truncate(grown[2]!, 1, true), grown[1]);
  assert.deepEqual(truncate(grown[2]!, 0, true), grown[0]);

  const prefixes = expand(draw(0, base('task')), played, false);
  assert.deepEqual(
    prefixes.map(({ turn, depth, kind, history }) => [turn, depth, kind, history.at(-1)!.response]),
    [
      [1, 0, 'base', null],
      [2, 0, 'base', null],
    ],
  );
  assert.deepEqual(truncate(prefixes[1]!, 1, false), prefixes[0]);
});
