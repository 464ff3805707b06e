import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFile, cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openCheckpoint } from '../../../activities/policy/weights/checkpoint.ts';

const families = fileURLToPath(new URL('../../fixtures/policy/families/', import.meta.url));
const [tied, untied, llama3] = ['qwen2-tied', 'qwen2-untied', 'llama3'].map((name) => join(families, name));
const scratch = await mkdtemp(join(tmpdir(), 'folder-'));
after(() => rm(scratch, { recursive: true, force: true }));

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');

async function copyOf(folder: string): Promise<string> {
  const copy = await mkdtemp(join(scratch, 'model-'));
  await cp(folder, copy, { recursive: true });
  return copy;
}

/** A copy of a folder in which settings of one JSON file are replaced; undefined takes one out. */
async function withJson(folder: string, file: string, changes: Record<string, unknown>): Promise<string> {
  const copy = await copyOf(folder);
  const json = JSON.parse(await readFile(join(copy, file), 'utf8')) as object;
  await writeFile(join(copy, file), JSON.stringify({ ...json, ...changes }));
  return copy;
}

/** A copy of a folder in which text of the weights' header is overwritten by as much text. */
async function withHeader(folder: string, from: string, to: string): Promise<string> {
  assert.equal(from.length, to.length);
  const copy = await copyOf(folder);
  const bytes = await readFile(join(copy, 'model.safetensors'));
  const at = bytes.indexOf(from);
  assert.ok(at >= 0, `${from} is in the file`);
  bytes.write(to, at, 'latin1');
  await writeFile(join(copy, 'model.safetensors'), bytes);
  return copy;
}

const refuses = (path: string, message: RegExp) =>
  assert.rejects(openCheckpoint(path), { name: 'ModelUnavailable', message });

test('reads shape and name of a folder', async () => {
  const { config, name, parameters } = await openCheckpoint(untied!);
  assert.deepEqual(config, {
    family: 'qwen2',
    hidden: 16,
    intermediate: 24,
    layers: 2,
    heads: 4,
    keyValueHeads: 2,
    headDim: 8,
    vocabulary: 336,
    ropeTheta: 1e6,
    ropeDivisors: null,
    normEpsilon: 1e-5,
    contextLength: 256,
    tiedHead: false,
  });
  assert.equal(name, 'qwen2-untied');
  const linears = 2 * 32 * 16 + 2 * 16 * 16 + 3 * 24 * 16;
  assert.equal(parameters, 2 * 336 * 16 + 16 + 2 * (linears + 32 + 16 + 16 + 2 * 16));
});

test("the hash is that of sha256sum's list of the files, and changes with any that counts", async () => {
  const files = (await readdir(untied!)).sort();
  assert.ok(files.includes('model-00003-of-00003.safetensors'));
  const lines = await Promise.all(
    files.map(async (file) => `${sha256(await readFile(join(untied!, file)))}  ${file}\n`),
  );
  const { sha256: found } = await openCheckpoint(untied!);
  assert.equal(found, sha256(lines.join('')));

  const copy = await copyOf(untied!);
  await writeFile(join(copy, 'README.md'), 'says nothing that counts');
  assert.equal((await openCheckpoint(copy)).sha256, found);
  await appendFile(join(copy, 'chat_template.jinja'), ' ');
  assert.notEqual((await openCheckpoint(copy)).sha256, found);
});

test('rope settings of older files mean the same', async () => {
  const { ropeDivisors, ropeTheta } = (await openCheckpoint(llama3!)).config;
  assert.deepEqual([ropeTheta, ropeDivisors?.[0], ropeDivisors?.[3]], [200, 1, 8]);
  assert.ok(ropeDivisors![2]! > 1 && ropeDivisors![2]! < 8);
  const scaling = {
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 128,
  };
  for (const key of ['rope_type', 'type']) {
    const older = await withJson(llama3!, 'config.json', {
      rope_parameters: undefined,
      rope_theta: 200,
      rope_scaling: { ...scaling, [key]: 'llama3' },
    });
    assert.deepEqual((await openCheckpoint(older)).config.ropeDivisors, ropeDivisors);
  }
  const plain = await withJson(llama3!, 'config.json', { rope_parameters: undefined, rope_scaling: null });
  const { config } = await openCheckpoint(plain);
  assert.deepEqual([config.ropeTheta, config.ropeDivisors], [10_000, null]);
});

test('a copy of the tied embedding under the name of the head is no head of its own', async () => {
  const tiedNow = await withJson(untied!, 'config.json', { tie_word_embeddings: true });
  const { config, parameters } = await openCheckpoint(tiedNow);
  assert.equal(config.tiedHead, true);
  assert.equal(parameters, (await openCheckpoint(untied!)).parameters - 336 * 16);
});

test('names what it does not support', async () => {
  const cases: [string, Record<string, unknown>, RegExp][] = [
    [
      tied!,
      { model_type: 'mamba' },
      /config\.json: family 'mamba' is not supported; supported: llama, qwen2/,
    ],
    [llama3!, { attention_bias: true }, /attention_bias is not supported/],
    [tied!, { use_sliding_window: true }, /use_sliding_window is not supported/],
    [tied!, { hidden_act: 'gelu' }, /activation 'gelu' is not supported; supported: silu/],
    [
      tied!,
      { rope_parameters: { rope_type: 'yarn', factor: 4 } },
      /rope type 'yarn' is not supported; supported: default, llama3/,
    ],
    [
      llama3!,
      { rope_parameters: { rope_type: 'llama3', factor: 4 } },
      /rope type llama3: .*low_freq_factor/s,
    ],
    [
      tied!,
      { rope_parameters: { rope_type: 'default', partial_rotary_factor: 0.5 } },
      /rotary embedding of a part of each head is not supported/,
    ],
    [tied!, { quantization_config: { quant_method: 'gptq' } }, /weights quantised by 'gptq'.*or a GGUF file/],
    [untied!, { num_key_value_heads: 3 }, /4 heads cannot share 3 key-value heads/],
    [untied!, { head_dim: 5 }, /heads of 5 numbers cannot be rotated in pairs/],
    [tied!, { hidden_size: undefined }, /config\.json is not as expected: .*hidden_size/s],
  ];
  for (const [folder, changes, message] of cases)
    await refuses(await withJson(folder, 'config.json', changes), message);
  await refuses(
    await withHeader(tied!, '"dtype":"F32"', '"dtype":"I64"'),
    /model\.safetensors: tensor \S+ has type I64, which is not supported; supported: F32, F16, BF16/,
  );
});

test('names the tensor that is missing, unknown or of the wrong shape', async () => {
  await refuses(
    await withJson(tied!, 'config.json', { tie_word_embeddings: false }),
    /the tensor for lm_head\.weight is missing/,
  );
  await refuses(
    await withJson(tied!, 'config.json', { model_type: 'llama' }),
    /tensor \S+k_proj\.bias has no place in a llama model of 2 layers/,
  );
  await refuses(
    await withJson(tied!, 'config.json', { vocab_size: 337 }),
    /tensor model\.embed_tokens\.weight is \[336,16\], the configuration says \[337,16\]/,
  );
});

test('says what is wrong with the files of a folder', async () => {
  const empty = await mkdtemp(join(scratch, 'empty-'));
  await refuses(empty, /has no config\.json: give the folder of a model/);
  const broken = await copyOf(tied!);
  await writeFile(join(broken, 'config.json'), '{');
  await refuses(broken, /config\.json is not JSON: get the file again/);

  const weightless = await copyOf(tied!);
  await rm(join(weightless, 'model.safetensors'));
  await refuses(weightless, /neither model\.safetensors nor model\.safetensors\.index\.json is there/);
  await writeFile(join(weightless, 'model.safetensors'), 'short');
  await refuses(weightless, /not a safetensors file: 5 bytes are too few/);
  await writeFile(join(weightless, 'model.safetensors'), 'version https://git-lfs.github.com/spec/v1');
  await refuses(weightless, /not a safetensors file: the header says \d+ bytes, 34 follow/);

  const short = await copyOf(tied!);
  const bytes = await readFile(join(short, 'model.safetensors'));
  await truncate(join(short, 'model.safetensors'), bytes.length - 100);
  await refuses(short, /model\.safetensors is truncated: tensor \S+ needs \d+ bytes, \d+ are there; get the/);

  const shardless = await copyOf(untied!);
  await rm(join(shardless, 'model-00002-of-00003.safetensors'));
  await refuses(shardless, /shard model-00002-of-00003\.safetensors is missing, which .*index\.json lists/);
  await cp(
    join(untied!, 'model-00001-of-00003.safetensors'),
    join(shardless, 'model-00002-of-00003.safetensors'),
  );
  await refuses(
    shardless,
    /tensor \S+ is not in model-00002-of-00003\.safetensors, where .*index\.json says/,
  );
});

test('a file replaced while it is open is not read as if it were the same', async () => {
  const copy = await copyOf(tied!);
  const checkpoint = await openCheckpoint(copy);
  await appendFile(join(copy, 'model.safetensors'), 'x');
  assert.throws(() => checkpoint.tensor('model.norm.weight'), {
    name: 'ModelUnavailable',
    message: /changed while it was in use/,
  });
  assert.throws(() => checkpoint.tensor('lm_head.weight'), { message: /has no tensor lm_head\.weight/ });
});
