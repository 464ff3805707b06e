import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { assumptions } from '../../activities/curriculum/assumptions.ts';
import { openDomain } from '../../activities/domains/open.ts';
import { RunConfig } from '../../workflows/contract/config.ts';

const folder = new URL('../../presets/', import.meta.url);
const load = async (file: string) =>
  RunConfig.parse(JSON.parse(await readFile(new URL(file, folder), 'utf8')));
const files = (await readdir(folder)).filter((name) => name.endsWith('.json'));

for (const file of files)
  test(`presets/${file} is a complete configuration whose problems exist`, async () => {
    const config = await load(file);
    const domain = openDomain(config.domain);
    assert.equal(domain.taskIds('train').length, config.domain.trainTasks);
    assert.ok(domain.taskIds('heldOut').length >= config.evaluation.tasks);
  });

test('the four strategies differ only in strategy and curriculum values', async () => {
  const [first, ...others] = await Promise.all(
    ['grpo', 'curriculum', 'improve', 'diverge'].map(async (strategy) => {
      const { strategy: named, curriculum, ...rest } = await load(`${strategy}.json`);
      assert.equal(named, strategy);
      const { selectProbability, selection, selfIteration, divergeProbability, ...size } = curriculum;
      return { ...rest, size, differs: [selectProbability, selection, selfIteration, divergeProbability] };
    }),
  );
  const differs = new Set([first!, ...others].map((preset) => JSON.stringify(preset.differs)));
  assert.equal(differs.size, 4);
  for (const other of others) assert.deepEqual({ ...other, differs: null }, { ...first, differs: null });
});

test('every path of the assumptions table is a path of the configuration', async () => {
  const config = await load('diverge.json');
  for (const { path } of assumptions)
    for (const one of path?.split(', ') ?? []) {
      const value = one
        .split('.')
        .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], config);
      // `prompts` is the one optional key.
      assert.ok(value !== undefined || one === 'curriculum.prompts', one);
    }
});

test('values that cannot go together are named by path', async () => {
  const config = await load('diverge.json');
  const problems = (changes: object) =>
    RunConfig.safeParse({ ...config, ...changes }).error?.issues.map(
      ({ path, message }) => `${path.join('.')}: ${message}`,
    );
  assert.deepEqual(problems({ sampling: { ...config.sampling, promptsPerGeneration: 193 } }), [
    "sampling.promptsPerGeneration: 193 is more than domain.trainTasks 192; a generation's prompts are distinct",
  ]);
  assert.deepEqual(problems({ training: { ...config.training, minibatches: 9 } }), [
    'training.minibatches: 9 is more than sampling.promptsPerGeneration 8; a group goes into one minibatch',
  ]);
  const prompts = { improve: 'Better: {request}', diverge: '{request} {response}' };
  assert.deepEqual(problems({ curriculum: { ...config.curriculum, prompts } }), [
    'curriculum.prompts.improve: the template lacks {response}',
  ]);
});
