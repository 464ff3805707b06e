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
  assert.deepEqual([kappa.value, kappa.chosen], ['7', '10']);
  assert.equal(assumed.find(({ path }) => path === 'curriculum.prompts')!.value, null, 'our own wording');
});

test('an explanation says what embeds the answers', async () => {
  const diversity = async (embedder: string) =>
    explain(await readRunConfig(preset, [`curriculum.diversityBonus.embedder=${embedder}`])).rules.find(
      ({ name }) => name === 'diversity',
    )!.formula;
  assert.match(String(await diversity('reference')), /base model’s last hidden states/);
  assert.match(String(await diversity('sentence')), /all-MiniLM-L6-v2/);
});
