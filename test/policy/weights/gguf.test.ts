import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'node:test';
import { createHash } from 'node:crypto';
import { openCheckpoint } from '../../../activities/policy/weights/checkpoint.ts';
import { modelPath } from '../model.ts';

const tiny = fileURLToPath(new URL('../../fixtures/policy/tiny.gguf', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'gguf-'));

/** A copy of a model, the tiny one unless told, in which `from` is overwritten by `to`, of the same length. */
async function changed(name: string, from: string, to: string, model = tiny): Promise<string> {
  assert.equal(from.length, to.length);
  const bytes = await readFile(model);
  const at = bytes.indexOf(from);
  assert.ok(at >= 0, `${from} is in the file`);
  bytes.write(to, at, 'latin1');
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

const unavailable = (pattern: RegExp) => (error: Error) => {
  assert.equal(error.name, 'ModelUnavailable');
  assert.match(error.message, pattern);
  return true;
};

test('reads shape, hash and tensors of a file', async () => {
  const checkpoint = await openCheckpoint(tiny);
  assert.deepEqual(
    { ...checkpoint.config, normEpsilon: Math.round(checkpoint.config.normEpsilon * 1e9) / 1e9 },
    {
      family: 'llama',
      hidden: 32,
      intermediate: 48,
      layers: 2,
      heads: 4,
      keyValueHeads: 2,
      headDim: 8,
      vocabulary: 288,
      ropeTheta: 10000,
      ropeDivisors: null,
      normEpsilon: 1e-5,
      contextLength: 256,
      tiedHead: false,
    },
  );
  assert.equal(checkpoint.name, 'tiny');
  assert.equal(
    checkpoint.sha256,
    createHash('sha256')
      .update(await readFile(tiny))
      .digest('hex'),
  );
  assert.deepEqual(checkpoint.tensor('lm_head.weight').shape, [288, 32]);
  assert.deepEqual(checkpoint.tensor('model.layers.1.self_attn.k_proj.weight').shape, [16, 32]);
  assert.equal(checkpoint.parameters, 2 * 288 * 32 + 32 + 2 * (32 * 32 * 2 + 32 * 16 * 2 + 3 * 32 * 48 + 64));
  assert.throws(() => checkpoint.tensor('model.layers.2.mlp.up_proj.weight'), unavailable(/no tensor/));
});

test('the real model is, bit for bit, what transformers loads from it', async () => {
  const checkpoint = await openCheckpoint(await modelPath());
  const { config } = checkpoint;
  assert.equal(checkpoint.parameters, 134_515_008);
  const parts = ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'self_attn.o_proj'];
  parts.push('mlp.gate_proj', 'mlp.up_proj', 'mlp.down_proj', 'input_layernorm', 'post_attention_layernorm');
  const names = ['model.embed_tokens.weight', 'model.norm.weight'];
  for (let layer = 0; layer < config.layers; layer++)
    names.push(...parts.map((part) => `model.layers.${layer}.${part}.weight`));
  const hash = createHash('sha256');
  for (const name of names.sort())
    hash.update(name).update(new Uint8Array(checkpoint.tensor(name).data.buffer));
  // sha256 over name and bytes of transformers' state_dict (float32, sorted names, lm_head left out: it is tied).
  assert.equal(hash.digest('hex'), '785e20b3e653276b0579b744214a1186d730ba80af04f397f642d6432e5e0154');
});

test('says what is wrong with a file', async () => {
  await assert.rejects(
    openCheckpoint(join(folder, 'none.gguf')),
    unavailable(/no model file at .*none\.gguf/),
  );
  await assert.rejects(openCheckpoint(folder), unavailable(/has no config.json: give the folder of a model/));

  const text = join(folder, 'text.gguf');
  await writeFile(text, 'this is not a model, only some text that is longer than a header\n'.repeat(9));
  await assert.rejects(openCheckpoint(text), unavailable(/is not a GGUF file/));
  const empty = join(folder, 'empty.gguf');
  await writeFile(empty, '');
  await assert.rejects(openCheckpoint(empty), unavailable(/is truncated/));

  await assert.rejects(
    openCheckpoint(await changed('architecture.gguf', 'llama', 'mamba')),
    unavailable(/architecture 'mamba' is not supported; supported: llama, qwen2/),
  );
  await assert.rejects(
    openCheckpoint(await changed('version.gguf', 'GGUF\x03', 'GGUF\x09')),
    unavailable(/has GGUF version 9/),
  );
  const type = (number: number) => `\x01\0\0\0\x20\0\0\0\0\0\0\0${String.fromCharCode(number)}\0\0\0`;
  await assert.rejects(
    openCheckpoint(await changed('type.gguf', type(0), type(10))),
    unavailable(/tensor \S+norm\.weight has type Q2_K, which is not supported; supported: F32, F16, Q4_0/),
  );
  await assert.rejects(
    openCheckpoint(await changed('name.gguf', 'blk.1.ffn_up', 'blk.7.ffn_up')),
    unavailable(/blk\.7\.ffn_up\.weight has no place/),
  );
});

test('says what is wrong with biases and rotary frequencies', async () => {
  const family = (name: string) =>
    fileURLToPath(new URL(`../../fixtures/policy/families/${name}.gguf`, import.meta.url));
  await assert.rejects(
    openCheckpoint(
      await changed('bias.gguf', 'blk.1.attn_q.bias', 'blk.1.attn_o.bias', family('qwen2-tied')),
    ),
    unavailable(/tensor blk\.1\.attn_o\.bias has no place in a qwen2 model of 2 layers/),
  );
  const divisors = (count: number) => `rope_freqs.weight\x01\0\0\0${String.fromCharCode(count)}\0`;
  await assert.rejects(
    openCheckpoint(await changed('rope.gguf', divisors(4), divisors(3), family('llama3'))),
    unavailable(/tensor rope_freqs\.weight is \[3\], the metadata say \[4\]/),
  );
});

test('names the tensor of a truncated file, and the bytes it lacks', async () => {
  const bytes = await readFile(tiny);
  const path = join(folder, 'short.gguf');
  await writeFile(path, bytes.subarray(0, bytes.length - 1000));
  await assert.rejects(
    openCheckpoint(path),
    unavailable(/is truncated: tensor \S+ needs \d+ bytes, \d+ are there; get the file again/),
  );
  for (const length of [3, 10, 24, 100, 1000, 3000, 5000]) {
    await writeFile(path, bytes.subarray(0, length));
    await assert.rejects(
      openCheckpoint(path),
      unavailable(new RegExp(`its header goes on after its last byte, ${length}; get the file again`)),
    );
  }
});

test('a file replaced while it is open is not read as if it were the same', async () => {
  const path = await changed('replaced.gguf', 'tiny', 'tinY');
  const checkpoint = await openCheckpoint(path);
  await appendFile(path, 'x');
  assert.throws(() => checkpoint.tensor('model.norm.weight'), unavailable(/changed while it was in use/));
  await truncate(path, 100);
  assert.throws(() => checkpoint.tensor('model.norm.weight'), unavailable(/changed while it was in use/));
});
