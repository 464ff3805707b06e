import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { assumptions } from '../../activities/curriculum/assumptions/index.ts';
import { rulesOf } from '../../activities/curriculum/method/index.ts';
import { paperValues } from '../../activities/curriculum/paper.ts';
import { openDomain } from '../../activities/domains/open.ts';
import { explain } from '../../client/commands/explain.ts';
import { RunConfig } from '../../workflows/contract/config.ts';
import { taskCounts } from '../../workflows/contract/domain.ts';

const folder = new URL('../../presets/', import.meta.url);
const load = async (file: string) =>
  RunConfig.parse(JSON.parse(await readFile(new URL(file, folder), 'utf8')));
const files = (await readdir(folder)).filter((name) => name.endsWith('.json'));

for (const file of files)
  test(`presets/${file} is a complete configuration whose problems exist`, async () => {
    const config = await load(file);
    const domain = openDomain(config.domain);
    assert.equal(domain.taskIds('train').length, taskCounts(config.domain).train.tasks);
    assert.ok(domain.taskIds('heldOut').length >= config.evaluation.tasks);
  });

const strategies = ['grpo', 'curriculum', 'improve', 'diverge', 'exit'] as const;
const valueAt = (config: RunConfig, path: string) =>
  path
    .split('.')
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | null | undefined)?.[key], config);

for (const flavour of ['faithful', 'robust'])
  test(`the five ${flavour} strategies differ only in what makes them strategies`, async () => {
    const [first, ...others] = await Promise.all(
      strategies.map(async (strategy) => {
        const { strategy: named, curriculum, ...rest } = await load(`${strategy}-${flavour}.json`);
        assert.equal(named, strategy);
        const { selectProbability, selection, selfIteration, divergeProbability, diversityBonus, ...size } =
          curriculum;
        const differs = [selectProbability, selection, selfIteration, divergeProbability, diversityBonus];
        return { ...rest, size, differs };
      }),
    );
    const differs = new Set([first!, ...others].map((preset) => JSON.stringify(preset.differs)));
    assert.equal(differs.size, 5);
    for (const other of others) assert.deepEqual({ ...other, differs: null }, { ...first, differs: null });
  });

test('igrpo differs from grpo in its draft stage, and has as many rollouts a prompt', async () => {
  const [{ curriculum, sampling, ...rest }, grpo] = await Promise.all([
    load('igrpo-robust.json'),
    load('grpo-robust.json'),
  ]);
  const { selection } = curriculum;
  assert.ok(selection.name === 'igrpo');
  assert.equal(selection.drafts + sampling.rolloutsPerPrompt, grpo.sampling.rolloutsPerPrompt);
  assert.deepEqual(
    {
      ...rest,
      strategy: 'grpo',
      curriculum: { ...curriculum, selection: { name: 'uniform' }, selfIteration: false },
      sampling: { ...sampling, rolloutsPerPrompt: grpo.sampling.rolloutsPerPrompt },
    },
    grpo,
  );
});

test('the faithful presets have every value that the paper prints for math', async () => {
  for (const strategy of strategies) {
    const config = await load(`${strategy}-faithful.json`);
    for (const { row, path, math } of paperValues) {
      // A strategy without a part has its probability at 0.
      const absent =
        (path === 'curriculum.selectProbability' && strategy === 'grpo') ||
        (path === 'curriculum.divergeProbability' && !['diverge', 'exit'].includes(strategy));
      assert.equal(valueAt(config, path), absent ? 0 : Number(math), `${strategy}: ${row}`);
    }
  }
});

test('every rule names a file of the code and constants of the configuration', async () => {
  for (const file of files) {
    const config = await load(file);
    for (const { name, files: sources, constants, formula } of rulesOf(config, 'improvement')) {
      for (const source of sources)
        assert.ok(existsSync(new URL(`../../${source}`, import.meta.url)), `${name}: ${source}`);
      assert.ok(formula.length > 0, name);
      for (const path of constants) assert.notEqual(valueAt(config, path), undefined, `${file}: ${path}`);
    }
  }
});

test('the page on the method names files that exist, and has every value that the paper prints', async () => {
  const page = await readFile(new URL('../../docs/method.md', import.meta.url), 'utf8');
  const named = [...page.matchAll(/`((?:activities|test)\/[\w/.]+\.ts)`/g)].map(([, file]) => file!);
  assert.ok(named.length > 10);
  for (const file of named) assert.ok(existsSync(new URL(`../../${file}`, import.meta.url)), file);
  const rows = page.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  for (const { path, math, tools, mlengineering } of paperValues) {
    const key = path.replace(/clipRatio\.high$/, 'clipRatio.low');
    const row = rows.find((cells) => cells[2]?.startsWith(`\`${key}\``));
    assert.deepEqual(row?.slice(3, 6), [math, tools, mlengineering], path);
  }
});

test('a strategy’s rules are those it follows', async () => {
  const names = async (file: string) => rulesOf(await load(file), 'verification').map(({ name }) => name);
  const common = ['reward', 'learnability'];
  const update = ['advantage', 'objective', 'optimizer'];
  assert.deepEqual(await names('grpo-robust.json'), ['select', ...common, ...update]);
  assert.deepEqual(await names('igrpo-robust.json'), ['select', 'step', ...common, ...update]);
  assert.deepEqual(await names('curriculum-robust.json'), ['select', ...common, 'buffer', ...update]);
  assert.deepEqual(await names('exit-robust.json'), [
    'select',
    'step',
    ...common,
    'buffer',
    'advantage',
    'diversity',
    'objective',
    'optimizer',
  ]);
});

for (const flavour of ['faithful', 'robust'] as const)
  test(`what is assumed is what the ${flavour} presets have`, async () => {
    for (const strategy of strategies) {
      const { assumed } = explain(await load(`${strategy}-${flavour}.json`));
      assert.ok(assumed.length > 20);
      for (const assumption of assumed) {
        const said = (flavour === 'robust' ? assumption.robust : undefined) ?? assumption.faithful;
        for (const { path, value } of assumption.values)
          for (const word of value.match(/[\w.-]+/g) ?? [])
            assert.ok(
              path === 'training.lora' ? /[a-z]/.test(word) || said.includes(word) : said.includes(word),
              `${strategy}-${flavour}: ${path} is ${value}, not ${said}`,
            );
      }
    }
  });

test('each of the decisions 1 to 28 is in the table, and its paths are of the configuration', async () => {
  const decisions = new Set(assumptions.map(({ decision }) => decision));
  assert.deepEqual(
    [...decisions].sort((a, b) => a - b),
    Array.from({ length: 28 }, (_, index) => index + 1),
  );
  const config = await load('exit-robust.json');
  // These keys are left out when they are not used.
  const optional = ['curriculum.prompts', 'curriculum.selection.maxScoreAge', 'training.trainPrefix'];
  for (const { paths } of assumptions)
    for (const path of paths) assert.ok(valueAt(config, path) !== undefined || optional.includes(path), path);
});

test('values that cannot go together are named by path', async () => {
  const config = await load('diverge-robust.json');
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
  const pools = { name: 'difficulty-pool', easyFrom: 0.2, hardUpTo: 0.8, easyShare: 0.7, hardShare: 0.4 };
  assert.deepEqual(problems({ curriculum: { ...config.curriculum, selection: pools } }), [
    'curriculum.selection.hardUpTo: 0.8 is not less than easyFrom 0.2',
    'curriculum.selection.easyShare: 0.7 and hardShare 0.4 are more than the whole',
  ]);
  const replay = { name: 'prompt-replay', passRate: { low: 0.7, high: 0.2 }, cooldown: 5, maxVisits: 6 };
  assert.deepEqual(problems({ curriculum: { ...config.curriculum, selection: replay } }), [
    'curriculum.selection.passRate: low 0.7 is more than high 0.2',
  ]);
  const w8a8 = { ...config.sampling, precision: 'w8a8' };
  assert.deepEqual(problems({ sampling: w8a8, training: { ...config.training, importanceCap: 2 } }), [
    "guards.meanMismatch: 0.01 pauses every generation: sampling.precision 'w8a8' has about 0.07; give 0.1 or more, or null",
  ]);
  const drafts = { name: 'igrpo', drafts: 4 };
  assert.deepEqual(problems({ curriculum: { ...config.curriculum, selection: drafts } }), [
    "curriculum.selection.name: strategy 'diverge' selects from the buffer, which 'igrpo' does not",
  ]);
  assert.deepEqual(problems({ strategy: 'igrpo' }), [
    "curriculum.selectProbability: strategy 'igrpo' needs it = 0",
    "curriculum.selection.name: strategy 'igrpo' needs it 'igrpo'",
    "curriculum.divergeProbability: strategy 'igrpo' needs it = 0",
  ]);
  const prompts = { improve: 'Better: {request}', diverge: '{request} {response}' };
  assert.deepEqual(problems({ curriculum: { ...config.curriculum, prompts } }), [
    'curriculum.prompts.improve: the template lacks {response}',
  ]);
});
