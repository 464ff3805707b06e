import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyCurriculum, scoreGroups } from '../../activities/curriculum/score.ts';
import { bufferStatistics } from '../../activities/curriculum/statistics.ts';
import type { Draw, Outcome } from '../../activities/curriculum/types.ts';
import type { RunConfig } from '../../workflows/contract/config.ts';
import { answeredOnce, base, configWith, draw, outcome } from './make.ts';

const cursor = { epoch: 0, position: 2 };
const config = configWith({ selectProbability: 0.5, expand: 'all' });

function score(draws: Draw[], outcomes: Outcome[][], rest: Partial<Parameters<typeof scoreGroups>[0]> = {}) {
  return scoreGroups({
    curriculum: emptyCurriculum(),
    draws,
    outcomes,
    config,
    domainReward: 'verification',
    generation: 1,
    cursor,
    ...rest,
  });
}

const group = (name: string, qualities: number[], rest: Partial<Outcome> = {}) =>
  qualities.map((quality, rollout) => outcome(`${name}-${rollout}`, quality, rest));

test('a generation: rewards, advantages, learnability, buffer and conservation', () => {
  const draws = [draw(0, base('a')), draw(1, base('b')), draw(2, base('c'))];
  const { groups, curriculum, conservation } = score(draws, [
    group('a', [1, 0, 0, 0]),
    group('b', [1, 1, 1, 1]),
    group('c', [1, 0, 0, 0]).map((one, rollout) => (rollout === 3 ? { ...one, failure: 'timed out' } : one)),
  ]);
  assert.deepEqual(
    groups.map(({ dropped, learnability, meanReward }) => [dropped, learnability, meanReward]),
    [
      [null, 0.1875, 0.25],
      ['noSignal', 0, 1],
      ['graderFailed', 0, 0],
    ],
  );
  assert.deepEqual(
    groups[0]!.rollouts.map(({ rolloutId, reward, advantage }) => [rolloutId, reward, advantage.toFixed(3)]),
    [
      ['a-0', 1, '1.732'],
      ['a-1', 0, '-0.577'],
      ['a-2', 0, '-0.577'],
      ['a-3', 0, '-0.577'],
    ],
  );
  assert.ok(groups[2]!.rollouts.every(({ advantage, reward }) => advantage === 0 && reward === 0));
  assert.deepEqual(conservation, {
    drawn: 3,
    trained: 1,
    withoutSignal: 1,
    filtered: {},
    failed: { graderFailed: 1 },
  });
  // Two base instances with four children each; nothing of the failed group.
  assert.equal(curriculum.buffer.length, 10);
  assert.deepEqual(curriculum.cursor, cursor);
  assert.equal(curriculum.generation, 1);
  assert.deepEqual(bufferStatistics(curriculum), {
    size: 10,
    meanDepth: 0.8,
    maxDepth: 1,
    meanScore: 0.1875 / 2,
  });
});

test('children inherit their parent’s score until their own group is played', () => {
  const first = score([draw(0, base('a'))], [group('a', [1, 0, 1, 0])]);
  const child = first.curriculum.buffer.find(({ instance }) => instance.kind === 'selfIteration')!;
  assert.deepEqual([child.score, child.inherited, child.visits], [0.25, true, 0]);

  const second = score([draw(0, child.instance, 'improve')], [group('again', [1, 1, 1, 0])], {
    curriculum: first.curriculum,
    generation: 2,
  });
  const visited = second.curriculum.buffer.find(({ instance }) => instance.id === child.instance.id)!;
  assert.deepEqual(
    [visited.score, visited.inherited, visited.visits, visited.firstGeneration, visited.scoreGeneration],
    [0.1875, false, 1, 1, 2],
  );
});

test('truncated answers count but never become instances', () => {
  const { groups, curriculum } = score([draw(0, base('a'))], [group('a', [1, 0, 0, 0], { truncated: true })]);
  assert.equal(groups[0]!.learnability, 0.1875);
  assert.deepEqual(
    curriculum.buffer.map(({ instance }) => instance.kind),
    ['base'],
  );
});

test('masked: truncated answers count in the statistics, and a group of only such is filtered', () => {
  const draws = [draw(0, base('a')), draw(1, base('b')), draw(2, base('c'))];
  const outcomes = [
    group('a', [1, 0, 0, 0]).map((one, rollout) => ({ ...one, truncated: rollout > 0 })),
    group('b', [1, 0, 0, 0], { truncated: true }),
    group('c', [0, 0, 0, 0], { truncated: true }),
  ];
  const masked = score(draws, outcomes, { config: configWith({}, { overlong: 'mask' }) });
  const trained = score(draws, outcomes, { config: configWith({}, { overlong: 'train' }) });
  assert.deepEqual(
    masked.groups.map(({ dropped }) => dropped),
    [null, 'overlong', 'noSignal'],
  );
  assert.deepEqual(masked.conservation, {
    drawn: 3,
    trained: 1,
    withoutSignal: 1,
    filtered: { overlong: 1 },
    failed: {},
  });
  assert.deepEqual(
    masked.groups.map((one) => ({ ...one, dropped: null })),
    trained.groups.map((one) => ({ ...one, dropped: null })),
  );
  assert.deepEqual(masked.curriculum, trained.curriculum);
  assert.equal(trained.conservation.trained, 2);
});

test('rollouts that say the same become one instance', () => {
  const { curriculum } = score([draw(0, base('a'))], [group('a', [1, 0, 0, 0], { response: 'same' })]);
  assert.deepEqual(
    curriculum.buffer.map(({ instance }) => [instance.kind, instance.parent?.rolloutId]),
    [
      ['base', undefined],
      ['selfIteration', 'a-0'],
    ],
  );
});

test('expand one grows from each finished rollout equally often', () => {
  const counts = [0, 0, 0, 0];
  const one = configWith({ selectProbability: 0.5, expand: 'one' });
  for (let generation = 1; generation <= 600; generation++) {
    const outcomes = group('a', [1, 0, 0, 0]).map((each, rollout) => ({ ...each, truncated: rollout === 2 }));
    const { curriculum } = score([draw(0, base('a'))], [outcomes], { config: one, generation });
    assert.equal(curriculum.buffer.length, 2);
    counts[Number(curriculum.buffer[1]!.instance.parent!.rolloutId.slice(2))]!++;
  }
  assert.equal(counts[2], 0);
  for (const rollout of [0, 1, 3]) assert.ok(Math.abs(counts[rollout]! - 200) < 48, String(counts));
});

test('expand best, worst and stratified grow from rollouts of the highest and the lowest quality', () => {
  const grown = (expand: RunConfig['curriculum']['expand'], qualities: number[]) => {
    const found = new Set<string>();
    for (let generation = 1; generation <= 40; generation++) {
      const options = { config: configWith({ selectProbability: 0.5, expand }), generation };
      const { curriculum } = score([draw(0, base('a'))], [group('a', qualities)], options);
      const children = curriculum.buffer.flatMap(({ instance }) => instance.parent?.rolloutId ?? []);
      found.add(children.map((id) => id.slice(2)).join('+'));
    }
    return [...found].sort();
  };
  assert.deepEqual(grown('best', [1, 0.5, 1, 0]), ['0', '2']);
  assert.deepEqual(grown('worst', [1, 0.5, 1, 0]), ['3']);
  assert.deepEqual(grown('stratified', [1, 0.5, 1, 0]), ['0+3', '2+3']);
  assert.deepEqual(grown('stratified', [0, 0, 0, 0]), ['0', '1', '2', '3']);
});

test('learnability may be that of the qualities, and rewards of another kind than the domain’s', () => {
  const start = answeredOnce('a', 'half', 0.5);
  const improvement = { ...config, reward: { mode: 'improvement' as const, minHeadroom: 0 } };
  const scoreOf = (scoreOn: RunConfig['curriculum']['scoreOn']) =>
    score([draw(0, start, 'improve')], [group('x', [1, 0.5, 0.5, 0])], {
      config: { ...improvement, curriculum: { ...config.curriculum, scoreOn } },
    }).groups[0]!;
  assert.deepEqual(
    scoreOf('reward').rollouts.map(({ reward }) => reward),
    [1, 0, 0, 0],
  );
  assert.equal(scoreOf('reward').learnability, 0.1875);
  assert.equal(scoreOf('quality').learnability, 0.125);
});

test('the diversity bonus multiplies advantages and leaves learnability alone', () => {
  const exit = configWith(
    { diversityBonus: { embedder: 'reference', scale: 'paper', positiveOnly: false } },
    { advantage: 'centered' },
  );
  const spread = [
    [2, 0],
    [0, 0],
    [1, 2],
    [1, -2],
  ];
  const outcomes = group('a', [1, 0, 0, 0]).map((one, i) => ({ ...one, embedding: spread[i]! }));
  const { groups } = score([draw(0, base('a'))], [outcomes], { config: exit });
  assert.deepEqual(
    groups[0]!.rollouts.map(({ diversity, advantage }) => [diversity, advantage]),
    [
      [1, 0.75],
      [1, -0.25],
      [2, -0.5],
      [2, -0.5],
    ],
  );
  assert.equal(groups[0]!.learnability, 0.1875);
  assert.throws(() => score([draw(0, base('a'))], [group('a', [1, 0, 0, 0])], { config: exit }), {
    name: 'ArtifactMissing',
    message: /rollout a-0 was never embedded/,
  });
});

test('plain GRPO keeps no buffer, the curriculum strategy only base tasks', () => {
  const buffer = (selectProbability: number) =>
    score([draw(0, base('a'))], [group('a', [1, 0, 0, 0])], {
      config: configWith({
        selectProbability,
        selection: selectProbability === 0 ? { name: 'uniform' } : config.curriculum.selection,
        selfIteration: false,
        divergeProbability: 0,
        expand: 'all',
      }),
    }).curriculum.buffer.map(({ instance }) => instance.kind);
  assert.deepEqual(buffer(0), []);
  assert.deepEqual(buffer(0.5), ['base']);
});

test('improvement mode: normalised rewards, and nothing kept that cannot be improved', () => {
  const start = answeredOnce('a', 'half', 0.5);
  const { groups, curriculum } = score([draw(0, start, 'improve')], [group('x', [1, 0.75, 0.5, 0])], {
    domainReward: 'improvement',
  });
  assert.deepEqual(
    groups[0]!.rollouts.map(({ reward }) => reward),
    [1, 0.5, 0, 0],
  );
  assert.deepEqual(
    curriculum.buffer.map(({ instance }) => instance.quality),
    [0.5, 0.75, 0.5, 0],
  );
});

test('prompts without all their rollouts are a violation of conservation', () => {
  const draws = [draw(0, base('a')), draw(1, base('b'))];
  const violated = (outcomes: Outcome[][], message: RegExp) =>
    assert.throws(() => score(draws, outcomes), { name: 'ConservationViolated', message });
  violated([group('a', [1, 0, 0, 0])], /2 prompts were drawn but 1 groups came back/);
  violated([group('a', [1, 0, 0, 0]), group('b', [1, 0, 0])], /prompt 1 has 3 rollouts, not 4/);
  violated([group('a', [1, 0, 0, 0]), group('a', [1, 0, 0, 0])], /rollout a-0 came back twice/);
});
