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

test('what is wrong is named by arm and path, once', () => {
  const problemsOf = (changes: object) => {
    const parsed = parseAblation({ ...input, ...changes }, 'mine');
    return parsed.ok ? [] : parsed.problems;
  };
  assert.match(
    problemsOf({ arms: { ...input.arms, half: { 'curriculum.capcity': 3 } } }).join('\n'),
    /^arms\.half: curriculum\.capcity: unknown key; the nearest valid one is 'capacity'$/,
  );
  assert.match(problemsOf({ arms: { a: { strategy: 'grpo' } } })[0]!, /^arms\.a: curriculum\.selectProb/);
  assert.match(problemsOf({ seeds: [1, 1] })[0]!, /seeds: a seed stands there twice/);
  assert.match(problemsOf({ seed: 1 })[0]!, /seed: unknown key; the nearest valid one is 'seeds'/);
  assert.match(problemsOf({ evaluation: { sets: {}, depth: 1 } })[0]!, /evaluation\.sets: give at least one/);
});
