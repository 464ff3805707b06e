import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAblation } from '../../workflows/contract/ablation.ts';
import { smallConfig } from '../e2e/harness.ts';

const input = {
  base: smallConfig,
  arms: {
    exit: {},
    grpo: {
      strategy: 'grpo',
      'curriculum.selectProbability': 0,
      'curriculum.selection': { name: 'uniform' },
      'curriculum.selfIteration': false,
      'curriculum.divergeProbability': 0,
      'curriculum.diversityBonus': null,
    },
  },
  seeds: [1, 2],
  concurrency: 1,
  evaluation: { sets: { own: null }, depth: 2 },
};

test('arms × seeds, each a complete configuration', () => {
  const parsed = parseAblation(input, 'mine');
  assert.ok(parsed.ok);
  const { runs } = parsed.value;
  assert.deepEqual(
    runs.map(({ id, config }) => [id, config.strategy, config.seed]),
    [
      ['mine-exit-1', 'exit', 1],
      ['mine-grpo-1', 'grpo', 1],
      ['mine-exit-2', 'exit', 2],
      ['mine-grpo-2', 'grpo', 2],
    ],
  );
  assert.deepEqual(runs[0]!.config, { ...smallConfig, seed: 1 });
});

function problemsOf(changes: object): string[] {
  const parsed = parseAblation({ ...input, ...changes }, 'mine');
  return parsed.ok ? [] : parsed.problems;
}

test('what is wrong is named by arm and path, once', () => {
  assert.match(
    problemsOf({ arms: { ...input.arms, half: { 'curriculum.capcity': 3 } } }).join('\n'),
    /^arms\.half: curriculum\.capcity: unknown key; the nearest valid one is 'capacity'$/,
  );
  assert.match(problemsOf({ arms: { a: { strategy: 'grpo' } } })[0]!, /^arms\.a: curriculum\.selectProb/);
  assert.match(problemsOf({ seeds: [1, 1] })[0]!, /seeds: a seed stands there twice/);
  assert.match(problemsOf({ seed: 1 })[0]!, /seed: unknown key; the nearest valid one is 'seeds'/);
  assert.match(problemsOf({ evaluation: { sets: {}, depth: 1 } })[0]!, /evaluation\.sets: give at least one/);
});

const own = { sets: { own: null }, depth: 2 };
const problem = (id: string, answer: string | null) => ({ id, question: 'How many?', answer });

test('the held-out problems of the runs must be there, and have answers', () => {
  assert.deepEqual(problemsOf({ evaluation: { ...own, tasks: 8 } }), []);
  assert.deepEqual(problemsOf({ evaluation: { ...own, tasks: 500 } }), [
    'arms.exit: domain.heldOutTasks: 8 held-out problems; evaluation.tasks asks for 500',
    'arms.grpo: domain.heldOutTasks: 8 held-out problems; evaluation.tasks asks for 500',
  ]);
  const train = Array.from({ length: 6 }, (_, index) => problem(`t${index}`, '1'));
  const heldOut = [problem('known', '1'), problem('open', null)];
  const base = {
    ...smallConfig,
    domain: { name: 'problems', instruction: null, train, heldOut },
    evaluation: { ...smallConfig.evaluation, tasks: 0 },
  };
  assert.deepEqual(problemsOf({ base, arms: { exit: {} } }), [
    "arms.exit: domain.heldOut: 'open' has no answer to be graded against",
  ]);
  const none = { ...base, domain: { ...base.domain, heldOut: [] } };
  assert.match(problemsOf({ base: none, arms: { exit: {} } })[0]!, /domain\.heldOut: 0 held-out problems/);
  // Nobody plays them.
  const evaluation = { ...own, sets: { sums: smallConfig.domain } };
  assert.deepEqual(problemsOf({ base, arms: { exit: {} }, evaluation }), []);
});

test('arms play the same problems, in the same way', () => {
  const arms = (changes: object) => ({ arms: { exit: {}, other: changes } });
  const elsewhere = { evaluation: { ...own, sets: { sums: smallConfig.domain } } };
  for (const changes of [
    { 'domain.heldOutTasks': 6 },
    { 'domain.taskSeed': 2 },
    { 'domain.families': { addOne: 1 } },
  ]) {
    const [said, ...more] = problemsOf(arms(changes));
    assert.match(
      said!,
      /^arms\.other: domain is not that of 'exit'; a set that is null .* give the set a domain$/,
    );
    assert.deepEqual(more, []);
    assert.deepEqual(problemsOf({ ...arms(changes), ...elsewhere }), []);
  }
  assert.deepEqual(problemsOf(arms({ 'domain.trainTasks': 20 })), []);

  for (const [key, value] of [
    ['tasks', 2],
    ['samplesPerTask', 2],
    ['temperature', 0.5],
    ['topK', 9],
    ['topP', 0.5],
  ] as const) {
    const other = arms({ [`evaluation.${key}`]: value });
    assert.deepEqual(problemsOf(other), [
      `arms.other: evaluation.${key} is not that of 'exit'; give all arms one as evaluation.${key} of the ablation`,
    ]);
    assert.deepEqual(problemsOf({ ...other, evaluation: { ...own, [key]: value } }), []);
  }
  assert.deepEqual(problemsOf({ ...arms({ 'evaluation.tasks': 2 }), ...elsewhere }), []);
});

test('arms start from one untrained policy', () => {
  const prompts = { improve: '{request} {response}', diverge: '{request} {response}' };
  for (const [path, value] of [
    ['model', 'another'],
    ['curriculum.prompts', prompts],
    ['sampling.maxNewTokens', 8],
  ] as const)
    assert.deepEqual(problemsOf({ arms: { exit: {}, other: { [path]: value } } }), [
      `arms.other: ${path} is not that of 'exit'; all arms are compared with one untrained policy, so make an ablation for each`,
    ]);
  // What all arms change alike is no difference.
  const evaluation = own;
  const both = { 'sampling.maxNewTokens': 8 };
  assert.deepEqual(problemsOf({ arms: { exit: both, other: both }, evaluation }), []);
});
