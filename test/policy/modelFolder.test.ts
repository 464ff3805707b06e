import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { writeModelFolder } from '../../activities/policy/modelFolder.ts';
import { openTokenizer } from '../../activities/policy/tokenizer/tokenizer.ts';
import { openCheckpoint } from '../../activities/policy/weights/checkpoint.ts';
import { encodeParameters, initialParameters } from '../../activities/policy/weights/parameters.ts';
import { fixture, golden } from './model/golden.ts';

const scratch = await mkdtemp(join(tmpdir(), 'model-folder-'));
after(() => rm(scratch, { recursive: true, force: true }));
const texts = await golden<{ texts: string[]; chats: { role: 'user'; content: string }[][] }>(
  'families/text.json',
);

/** All weights of a model, moved a little. */
async function trained(path: string) {
  const parameters = initialParameters(await openCheckpoint(path), null, '');
  for (const { data } of parameters.tensors.values()) data.forEach((value, i) => (data[i] = value + 0.01));
  return { bytes: encodeParameters(parameters), tensors: parameters.tensors };
}

for (const name of ['qwen2-tied', 'qwen2-untied', 'llama3', 'qwen2-tied.gguf', 'qwen2-untied.gguf'])
  test(`${name}: the exported folder opens as the same model with the weights that were trained`, async () => {
    const path = fixture(`families/${name}`).pathname;
    const { bytes, tensors } = await trained(path);
    const dir = join(scratch, name);
    await writeModelFolder(dir, bytes, path);
    const [source, exported] = [await openCheckpoint(path), await openCheckpoint(dir)];
    assert.deepEqual(exported.config, source.config);
    assert.equal(exported.parameters, source.parameters);
    for (const [tensor, { data }] of tensors) assert.deepEqual(exported.tensor(tensor).data, data, tensor);
    const config = JSON.parse(await readFile(join(dir, 'config.json'), 'utf8')) as Record<string, unknown>;
    assert.deepEqual([config['torch_dtype'], config['dtype']], ['float32', undefined]);
    assert.deepEqual(
      (await readdir(dir)).filter((file) => file.includes('safetensors')),
      ['model.safetensors'],
    );

    const [theirs, ours] = [await openTokenizer(path), await openTokenizer(dir)];
    for (const text of texts.texts) assert.deepEqual(ours.encode(text), theirs.encode(text), text);
    for (const chat of texts.chats) assert.equal(ours.renderPrompt(chat), theirs.renderPrompt(chat));
    assert.deepEqual(ours.stopTokenIds, theirs.stopTokenIds);
  });

test('a GGUF file with scaled rotary frequencies, and bytes of another model, are refused', async () => {
  const path = fixture('families/llama3.gguf').pathname;
  const { bytes } = await trained(path);
  await assert.rejects(writeModelFolder(join(scratch, 'none'), bytes, path), {
    name: 'ModelUnavailable',
    message: /scaled rotary frequencies/,
  });
  await assert.rejects(
    writeModelFolder(join(scratch, 'none'), bytes, fixture('families/qwen2-tied').pathname),
    { name: 'ArtifactCorrupt' },
  );
});
