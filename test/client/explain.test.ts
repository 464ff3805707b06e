import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { explain } from '../../client/commands/explain.ts';
import { readRunConfig } from '../../client/config.ts';

const preset = fileURLToPath(new URL('../../presets/exit-faithful.json', import.meta.url));

test('an explanation has formulas with their constants, the paper’s values, and what is assumed', async () => {
  const { rules, paper, assumed } = explain(
    await readRunConfig(preset, ['curriculum.selection.inverseTemperature=7']),
  );
  const select = rules.find(({ name }) => name === 'select')!;
  assert.ok(select.constants.some(({ path, value }) => path.endsWith('inverseTemperature') && value === '7'));
  assert.match(select.source, /ExIt §4\.1/);
  const rate = paper.find(({ path }) => path === 'training.learningRate')!;
  assert.deepEqual([rate.value, rate.math], ['1e-6', '1e-6']);
  const kappa = assumed.find(({ decision }) => decision === 9)!;
  assert.deepEqual([kappa.values[0]?.value, kappa.faithful], ['7', '10']);
  const prompts = assumed.find(({ paths }) => paths.includes('curriculum.prompts'))!;
  assert.equal(prompts.values[0]?.value, 'absent', 'our own wording');
});

test('an explanation says what embeds the answers', async () => {
  const diversity = async (embedder: string) =>
    explain(await readRunConfig(preset, [`curriculum.diversityBonus.embedder=${embedder}`])).rules.find(
      ({ name }) => name === 'diversity',
    )!.formula;
  assert.match(String(await diversity('reference')), /base model’s last hidden states/);
  assert.match(String(await diversity('sentence')), /all-MiniLM-L6-v2/);
});

test('an explanation leaves out what the configuration has not', async () => {
  const grpo = explain(await readRunConfig(preset.replace('exit-', 'grpo-'), []));
  assert.equal(grpo.paper.find(({ row }) => row === 'buffer size N')!.value, '–');
  assert.ok(!grpo.assumed.some(({ part }) => part === 'buffer' || part === 'selfIteration'));
  const exit = explain(await readRunConfig(preset, ['curriculum.selection.maxScoreAge=5']));
  const fading = exit.assumed.find(({ paths }) => paths.includes('curriculum.selection.maxScoreAge'))!;
  assert.equal(fading.values[0]?.value, '5');
  assert.match(exit.rules[0]!.formula.join(), /maxScoreAge/);
});

test('the reward is that of the domain, or of the mode that is asked for', async () => {
  const formula = async (mode: string) =>
    explain(await readRunConfig(preset, [`reward.mode=${mode}`])).rules.find(({ name }) => name === 'reward')!
      .formula[0]!;
  assert.match(await formula('domain'), /^r = q_k/);
  assert.match(await formula('improvement'), /^improve: r = max/);
});
