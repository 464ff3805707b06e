import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { modelName, resolveModel } from '../../infra/setup/model.ts';

const folder = await mkdtemp(join(tmpdir(), 'reiterate-model-'));
after(() => rm(folder, { recursive: true, force: true }));

test('a path names a model, and a missing one says what to do', async () => {
  const file = join(folder, 'mine.gguf');
  await writeFile(file, 'GGUF');
  assert.equal(await resolveModel(file), file);
  assert.equal(await resolveModel(folder), folder);
  await assert.rejects(resolveModel(join(folder, 'none.gguf')), {
    name: 'ModelUnavailable',
    message: /none\.gguf" is neither SmolLM2-135M-Instruct nor a readable file or folder; give the path/,
  });
});

test('REITERATE_MODEL that names no file is an error, not a reason to download', async () => {
  process.env['REITERATE_MODEL'] = join(folder, 'none.gguf');
  await assert.rejects(resolveModel(modelName), {
    name: 'ModelUnavailable',
    message: /REITERATE_MODEL is .*none\.gguf.*unset it/,
  });
});
