import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { initialAdapter, peftConfig } from '../../../activities/policy/weights/adapter.ts';
import type { LoraShape } from '../../../activities/policy/weights/adapter.ts';
import type { ModelConfig } from '../../../activities/policy/weights/checkpoint.ts';
import { writePeftFolder } from '../../../activities/policy/weights/export.ts';
import { encodeParameters } from '../../../activities/policy/weights/parameters.ts';

const config: ModelConfig = {
  family: 'llama',
  hidden: 64,
  intermediate: 96,
  layers: 3,
  heads: 4,
  keyValueHeads: 2,
  headDim: 16,
  vocabulary: 100,
  ropeTheta: 10000,
  ropeDivisors: null,
  normEpsilon: 1e-5,
  contextLength: 128,
  tiedHead: true,
};
const lora: LoraShape = { rank: 8, alpha: 16, targets: ['q', 'v', 'down'] };
const fresh = initialAdapter(config, lora, '00000000000000ff');

test('a fresh adapter has the names and shapes of PEFT, A uniform in ±1/√in and B zero', () => {
  assert.equal(fresh.size, 3 * 3 * 2);
  const a = fresh.get('base_model.model.model.layers.2.mlp.down_proj.lora_A.weight')!;
  const b = fresh.get('base_model.model.model.layers.2.self_attn.v_proj.lora_B.weight')!;
  assert.deepEqual(
    [a.shape, b.shape],
    [
      [8, 96],
      [32, 8],
    ],
  );
  assert.ok(b.data.every((value) => value === 0));
  const bound = 1 / Math.sqrt(96);
  const variance = a.data.reduce((sum, value) => sum + value * value, 0) / a.data.length;
  assert.ok(a.data.every((value) => Math.abs(value) <= bound));
  assert.ok(Math.abs(variance / (bound ** 2 / 3) - 1) < 0.15, `variance ${variance}`);
});

test('the seed decides the numbers; a tensor does not depend on which others there are', () => {
  assert.deepEqual(initialAdapter(config, lora, '00000000000000ff'), fresh);
  const other = initialAdapter(config, lora, '00000000000000fe');
  const alone = initialAdapter(config, { ...lora, targets: ['v'] }, '00000000000000ff');
  const name = 'base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight';
  assert.notDeepEqual(other.get(name), fresh.get(name));
  assert.deepEqual(alone.get(name), fresh.get(name));
});

test('a PEFT folder holds the adapter and its configuration', async () => {
  const folder = join(await mkdtemp(join(tmpdir(), 'peft-')), 'out');
  const bytes = encodeParameters({ trainable: lora, tensors: fresh });
  await writePeftFolder(folder, lora, bytes, 'HuggingFaceTB/SmolLM2-135M-Instruct');
  assert.deepEqual((await readdir(folder)).sort(), ['adapter_config.json', 'adapter_model.safetensors']);
  assert.deepEqual(new Uint8Array(await readFile(join(folder, 'adapter_model.safetensors'))), bytes);
  const written: unknown = JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8'));
  assert.deepEqual(written, peftConfig(lora, 'HuggingFaceTB/SmolLM2-135M-Instruct'));
  assert.deepEqual((written as { target_modules: string[] }).target_modules, [
    'q_proj',
    'v_proj',
    'down_proj',
  ]);
});
