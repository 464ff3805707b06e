import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { override, readRunConfig } from '../../client/config.ts';
import { CommandFailure, exitCodes } from '../../client/exit.ts';
import { aConfig } from './config.ts';

test('--set takes JSON, else text, at any depth', () => {
  const config = { seed: 1, training: { learningRate: 1, adamBetas: [0.9, 0.9] }, strategy: 'improve' };
  const settings = ['seed=7', 'strategy=grpo', 'training.adamBetas=[0.9,0.99]', 'training.learningRate=1e-4'];
  assert.deepEqual(settings.reduce<unknown>(override, config), {
    seed: 7,
    training: { learningRate: 1e-4, adamBetas: [0.9, 0.99] },
    strategy: 'grpo',
  });
  assert.equal(config.seed, 1, 'the input stays as it was');
});

test('--set without a path or a value is refused', () => {
  for (const setting of ['seed', '=1', ''])
    assert.throws(
      () => override({}, setting),
      (error) => error instanceof CommandFailure && error.code === exitCodes.usage,
    );
});

test('an ablation is told from a configuration', async () => {
  const file = 'presets/ablations/ladder.json';
  await assert.rejects(readRunConfig(file, []), {
    code: exitCodes.usage,
    message: `${file} is an ablation, not a run configuration: \`reiterate ablation start ${file}\`.`,
  });
});

test('every preset is a valid configuration', async () => {
  const presets = (await readdir('presets')).filter((name) => name.endsWith('.json'));
  assert.ok(presets.length > 10);
  for (const preset of presets) assert.ok(await readRunConfig(`presets/${preset}`, []), preset);
});

test('a file with problems names all of them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'reiterate-config-'));
  try {
    const file = join(folder, 'bad.json');
    await writeFile(file, JSON.stringify({ ...aConfig(), threads: 0, extra: 1 }));
    await assert.rejects(readRunConfig(file, ['seed=-1']), (error) => {
      assert.ok(error instanceof CommandFailure);
      assert.equal(error.code, exitCodes.usage);
      for (const path of ['threads', 'extra', 'seed'])
        assert.match(error.message, new RegExp(`^  ${path}: `, 'm'));
      return true;
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
