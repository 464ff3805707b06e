import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import {
  blendAdapters,
  decodeAdapter,
  encodeAdapter,
  initialAdapter,
  peftConfig,
} from '../../../activities/policy/weights/adapter.ts';
import type { LoraShape } from '../../../activities/policy/weights/adapter.ts';
import type { ModelConfig } from '../../../activities/policy/weights/checkpoint.ts';
import { writePeftFolder } from '../../../activities/policy/weights/export.ts';
import { fixtureAdapter } from '../fixtureAdapter.ts';

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
  assert.equal(fresh.tensors.size, 3 * 3 * 2);
  const a = fresh.tensors.get('base_model.model.model.layers.2.mlp.down_proj.lora_A.weight')!;
  const b = fresh.tensors.get('base_model.model.model.layers.2.self_attn.v_proj.lora_B.weight')!;
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
  assert.notDeepEqual(other.tensors.get(name), fresh.tensors.get(name));
  assert.deepEqual(alone.tensors.get(name), fresh.tensors.get(name));
});

test('bytes and back, checked against the model', () => {
  const bytes = encodeAdapter(fresh);
  assert.deepEqual(decodeAdapter(bytes, config), {
    lora,
    tensors: new Map([...fresh.tensors].sort(([x], [y]) => (x < y ? -1 : 1))),
  });
  const wrong = (changed: Partial<ModelConfig>, pattern: RegExp) =>
    assert.throws(
      () => decodeAdapter(bytes, { ...config, ...changed }),
      (error: Error) => error.name === 'ArtifactCorrupt' && pattern.test(error.message),
    );
  wrong(
    { hidden: 32 },
    /does not fit the model: \S+q_proj\.lora_A\.weight is \[8,64\], the model takes \[8,32\]/,
  );
  wrong({ layers: 4 }, /layers\.3\.\S+ is missing/);
  wrong({ layers: 2 }, /it has 18 tensors, the model takes 12/);
});

test('blend is elementwise, exact at both ends', () => {
  const theta = fixtureAdapter(config, 8, 16);
  const reference = initialAdapter(config, theta.lora, '0000000000000001');
  assert.deepEqual(blendAdapters(reference, theta, 1).tensors, theta.tensors);
  assert.deepEqual(blendAdapters(reference, theta, 0).tensors, reference.tensors);
  const [name, from] = [...reference.tensors][0]!;
  const to = theta.tensors.get(name)!;
  const half = blendAdapters(reference, theta, 0.25).tensors.get(name)!;
  assert.equal(half.data[5], Math.fround(0.75 * from.data[5]! + 0.25 * to.data[5]!));
  assert.throws(() => blendAdapters(fresh, theta, 0.5), { name: 'ArtifactCorrupt' });
});

test('a PEFT folder holds the adapter and its configuration', async () => {
  const folder = join(await mkdtemp(join(tmpdir(), 'peft-')), 'out');
  const bytes = encodeAdapter(fresh);
  await writePeftFolder(folder, bytes, 'HuggingFaceTB/SmolLM2-135M-Instruct');
  assert.deepEqual((await readdir(folder)).sort(), ['adapter_config.json', 'adapter_model.safetensors']);
  assert.deepEqual(new Uint8Array(await readFile(join(folder, 'adapter_model.safetensors'))), bytes);
  const written: unknown = JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8'));
  assert.deepEqual(written, peftConfig(fresh, 'HuggingFaceTB/SmolLM2-135M-Instruct'));
  assert.deepEqual((written as { target_modules: string[] }).target_modules, [
    'q_proj',
    'v_proj',
    'down_proj',
  ]);
  await assert.rejects(writePeftFolder(folder, new Uint8Array(20), 'x'), { name: 'ArtifactCorrupt' });
});
