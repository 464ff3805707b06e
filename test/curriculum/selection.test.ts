import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { identityOf, instanceOf } from '../../activities/curriculum/identity.ts';
import { truncate } from '../../activities/curriculum/insertion.ts';
import { emptyCurriculum } from '../../activities/curriculum/score.ts';
import { select } from '../../activities/curriculum/selection.ts';
import type { CurriculumConfig } from '../../workflows/contract/config.ts';
import type { BufferEntry, Curriculum } from '../../activities/curriculum/types.ts';
import { answeredOnce, base, begin, chiSquare, configWith, entry } from './make.ts';

const names = (count: number) => Array.from({ length: count }, (_, index) => `task-${index}`);
const holding = (buffer: BufferEntry[]): Curriculum => ({ ...emptyCurriculum(), buffer });
const context = (rest: Partial<Parameters<typeof select>[2]> = {}) => ({
  seed: 1,
  generation: 1,
  prompts: 4,
  taskIds: names(40),
  begin,
  ...rest,
});
const always = configWith({ selectProbability: 1, minimumSize: 1 }).curriculum;

test('instances are selected in proportion to exp(κ S), κ = 10', () => {
  const scores = [0, 0.109, 0.109, 0.188, 0.234, 0.25, 0.25, 0.05];
  const buffer = scores.map((score, index) => entry(answeredOnce(`task-${index}`, 'x'), score));
  const counts = scores.map(() => 0);
  for (let generation = 0; generation < 6000; generation++) {
    const { draws } = select(holding(buffer), always, context({ generation, prompts: 1 }));
    counts[buffer.findIndex(({ instance }) => instance.id === draws[0]!.instance.id)]!++;
  }
  const weights = scores.map((score) => Math.exp(10 * score));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  // 99.9 % quantile of χ² with 7 degrees of freedom.
  assert.ok(
    chiSquare(
      counts,
      weights.map((weight) => weight / sum),
    ) < 24.32,
    String(counts),
  );
});

test('the share of buffer slots and of diverge steps is p and p_div', () => {
  const buffer = names(30).map((name) => entry(answeredOnce(name, 'x'), 0.1));
  const config = configWith({ selectProbability: 0.3, divergeProbability: 0.2, minimumSize: 1 }).curriculum;
  const steps = { base: 0, improve: 0, diverge: 0 };
  for (let generation = 0; generation < 1000; generation++)
    for (const { step } of select(holding(buffer), config, context({ generation })).draws) steps[step]++;
  // 4000 draws: within four standard deviations.
  assert.ok(Math.abs(steps.base - 2800) < 4 * Math.sqrt(4000 * 0.21), JSON.stringify(steps));
  assert.ok(Math.abs(steps.diverge - 240) < 4 * Math.sqrt(4000 * 0.06 * 0.94), JSON.stringify(steps));
});

test('nothing comes from a buffer smaller than B_min', () => {
  const buffer = names(3).map((name) => entry(answeredOnce(name, 'x'), 0.25));
  const sources = (minimumSize: number) =>
    select(holding(buffer), { ...always, minimumSize }, context()).draws.map(({ source }) => source);
  assert.deepEqual(sources(4), ['taskSet', 'taskSet', 'taskSet', 'taskSet']);
  // Three entries fill three of four slots; the rest falls back to a base task.
  assert.deepEqual(sources(3), ['buffer', 'buffer', 'buffer', 'taskSet']);
});

test('a generation never holds an instance twice', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 12, max: 15 }),
      (seed, size, tasks) => {
        const buffer = names(size).map((name, index) =>
          entry(index % 2 ? base(name) : answeredOnce(name, 'x'), 0.1),
        );
        const config = configWith({ selectProbability: 0.5, minimumSize: 1 }).curriculum;
        let curriculum = holding(buffer);
        for (let generation = 0; generation < 4; generation++) {
          const { draws, cursor } = select(
            curriculum,
            config,
            context({ seed, generation, prompts: 12, taskIds: names(tasks) }),
          );
          assert.equal(new Set(draws.map(({ instance }) => instance.id)).size, 12);
          assert.deepEqual(
            draws.map(({ ordinal }) => ordinal),
            [...Array(12).keys()],
          );
          curriculum = { ...curriculum, cursor };
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('each epoch of base tasks covers the task set once, in another order', () => {
  const config = configWith({ selectProbability: 0 }).curriculum;
  let curriculum = emptyCurriculum();
  const epochs: string[][] = [];
  for (let generation = 1; generation <= 20; generation++) {
    const { draws, cursor } = select(curriculum, config, context({ generation, prompts: 4 }));
    (epochs[Math.floor((generation - 1) / 10)] ??= []).push(
      ...draws.map(({ instance }) => instance.baseTaskId),
    );
    curriculum = { ...curriculum, cursor };
  }
  assert.deepEqual(curriculum.cursor, { epoch: 1, position: 40 });
  for (const epoch of epochs) assert.deepEqual([...epoch].sort(), names(40).sort());
  assert.notDeepEqual(epochs[0], epochs[1]);
});

test('the base-task cursor moves only when a base task is drawn', () => {
  const buffer = names(8).map((name) => entry(answeredOnce(name, 'x'), 0.1));
  assert.deepEqual(select(holding(buffer), always, context()).cursor, { epoch: 0, position: 0 });
});

test('a base task that the buffer already brought into the batch is passed over', () => {
  const first = select(
    emptyCurriculum(),
    configWith({ selectProbability: 0 }).curriculum,
    context({ prompts: 1 }),
  );
  const task = first.draws[0]!.instance;
  const { draws, cursor } = select(holding([entry(task, 0.25)]), always, context({ prompts: 2 }));
  assert.deepEqual(
    draws.map(({ source, step }) => [source, step]),
    [
      ['buffer', 'base'],
      ['taskSet', 'base'],
    ],
  );
  assert.notEqual(draws[1]!.instance.id, task.id);
  assert.deepEqual(cursor, { epoch: 0, position: 2 });
});

test('the order of the buffer does not matter', () => {
  const buffer = names(20).map((name, index) => entry(answeredOnce(name, 'x'), index / 100));
  assert.deepEqual(
    select(holding(buffer), always, context()),
    select(holding(buffer.toReversed()), always, context()),
  );
});

test('an instance of several turns is taken up at each of its turns equally often', () => {
  const turn = (number: number) => ({
    request: [{ role: 'user' as const, content: `request ${number}` }],
    response: `response ${number}`,
    feedback: `feedback ${number}`,
  });
  const episode = instanceOf({
    baseTaskId: 'episode',
    turn: 2,
    depth: 4,
    earlierDepths: [0, 6],
    history: [turn(0), turn(1), turn(2)],
    quality: 0.5,
    parent: { instanceId: 'p', rolloutId: 'r' },
  });
  const counts = [0, 0, 0];
  for (let generation = 0; generation < 900; generation++) {
    const { instance, step } = select(
      holding([entry(episode, 0.2)]),
      always,
      context({ generation, prompts: 1 }),
    ).draws[0]!;
    counts[instance.turn]!++;
    assert.notEqual(step, 'base');
    assert.equal(instance.depth, [1, 7, 4][instance.turn]);
    assert.deepEqual(instance.history, episode.history.slice(0, instance.turn + 1));
    assert.equal(instance.id, identityOf('episode', instance.turn, instance.history));
  }
  // 99.9 % quantile of χ² with 2 degrees of freedom.
  assert.ok(chiSquare(counts, [1 / 3, 1 / 3, 1 / 3]) < 13.82, String(counts));

  // Without self-iteration the turn is to be answered afresh.
  const { history } = episode;
  const unanswered = instanceOf({
    ...episode,
    depth: 0,
    history: history.map((one, index) => (index === 2 ? { ...one, response: null } : one)),
  });
  for (let generation = 0; generation < 20; generation++) {
    const { instance, step } = select(
      holding([entry(unanswered, 0.2)]),
      { ...always, selfIteration: false },
      context({ generation, prompts: 1 }),
    ).draws[0]!;
    assert.equal(step, 'base');
    assert.equal(instance.depth, 0);
    assert.deepEqual(
      instance.history.map(({ response }) => response !== null),
      [true, true, true].slice(0, instance.turn).concat(false),
    );
  }
});

test('an earlier turn that rests is not played by way of a longer instance; one that the buffer lacks is', () => {
  const turn = (number: number) => ({
    request: [{ role: 'user' as const, content: `request ${number}` }],
    response: `response ${number}`,
    feedback: null,
  });
  const longer = instanceOf({
    baseTaskId: 'episode',
    turn: 1,
    depth: 1,
    earlierDepths: [0],
    history: [turn(0), turn(1)],
    quality: 0.5,
    parent: { instanceId: 'p', rolloutId: 'r' },
  });
  const shorter = truncate(longer, 0, true);
  const config: CurriculumConfig = {
    ...always,
    selection: { name: 'prompt-replay', passRate: { low: 0.2, high: 0.8 }, cooldown: 5, maxVisits: 9 },
  };
  const startsFrom = (buffer: BufferEntry[]) =>
    new Set(
      Array.from({ length: 40 }, (_, seed) => {
        const [first] = select(holding(buffer), config, context({ seed, generation: 9, prompts: 1 })).draws;
        return first!.source === 'buffer' ? first!.instance.id : 'taskSet';
      }),
    );
  const unvisited = entry(longer, 0.2, { visits: 0 });
  const visitedAt = (generation: number) => entry(shorter, 0.2, { visitGeneration: generation });
  assert.deepEqual(startsFrom([unvisited]), new Set([longer.id, shorter.id]));
  assert.deepEqual(startsFrom([unvisited, visitedAt(3)]), new Set([longer.id, shorter.id]));
  assert.deepEqual(startsFrom([unvisited, visitedAt(8)]), new Set([longer.id, 'taskSet']));
});

test('a task set smaller than the generation is named as the problem', () => {
  assert.throws(() => select(emptyCurriculum(), always, context({ prompts: 4, taskIds: names(3) })), {
    name: 'InvalidRunConfig',
    message: /sampling\.promptsPerGeneration: 4 .* 3 training tasks/,
  });
});
