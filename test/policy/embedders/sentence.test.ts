import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Embedder } from '../../../activities/policy/embedders/embedder.ts';
import { openSentence } from '../../../activities/policy/embedders/sentence.ts';
import { openDevice } from '../../../activities/policy/engine/device.ts';
import type { Tokenizer } from '../../../activities/policy/policy.ts';
import { openTokenizer } from '../../../activities/policy/tokenizer/tokenizer.ts';
import { ensureSentenceModel } from '../../../infra/setup/embedder.ts';
import { bytes } from '../model/golden.ts';
import { modelPath } from '../model.ts';

const sentences = JSON.parse(
  await readFile(new URL('../../fixtures/policy/sentence.json', import.meta.url), 'utf8'),
) as { text: string; tokens: number; embedding: string }[];
const folder = await ensureSentenceModel((line) => console.error(`# ${line}`));
const scratch = await mkdtemp(join(tmpdir(), 'reiterate-sentence-'));
after(() => rm(scratch, { recursive: true, force: true }));

/** One token a UTF-16 unit, so that any text is a completion. */
const units: Tokenizer = {
  renderPrompt: () => '',
  encode: (text) => Array.from({ length: text.length }, (_, i) => text.charCodeAt(i)),
  decode: (ids) => String.fromCharCode(...ids),
  stopTokenIds: [],
  contextLength: null,
};
const parts = (threads: number) => ({
  tokenizer: units,
  meanStates: () => assert.fail('the base model has no part in it'),
  threads,
});
const open = (threads = 1) => openSentence(parts(threads), folder);

async function embed(embedder: Embedder, texts: readonly string[]) {
  const group = { promptIds: [1], completions: texts.map(units.encode) };
  let progress = { done: 0, total: 0, tokens: 0 };
  const vectors = (await embedder.embed([group], async (now) => void (progress = now)))[0]!;
  return { vectors, progress };
}
const cosine = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, x, i) => sum + x * b[i]!, 0);

test('texts have the tokens and the embeddings that Python finds', async () => {
  const embedder = await open();
  for (const { text, tokens, embedding } of sentences) {
    const { vectors, progress } = await embed(embedder, [text]);
    assert.equal(progress.tokens, tokens, text);
    const expected = new Float32Array(bytes(embedding));
    assert.equal(vectors[0]!.length, expected.length);
    expected.forEach((x, i) => assert.ok(Math.abs(x - vectors[0]![i]!) < 1e-5, `${text}: ${i}`));
  }
});

test('what says the same lies nearer than what says something else', async () => {
  const { vectors } = await embed(await open(), [
    'To get the total, add 12 and 30, which gives 42.',
    'The sum of 12 and 30 is 42.',
    'A cat sleeps on the warm windowsill.',
  ]);
  for (const vector of vectors) assert.ok(Math.abs(cosine(vector, vector) - 1) < 1e-6, 'of length 1');
  const [same, other] = [cosine(vectors[0]!, vectors[1]!), cosine(vectors[0]!, vectors[2]!)];
  assert.ok(same > other + 0.4, `${same} and ${other}`);
});

test('an embedding is the same to the bit whatever stands beside it; equal texts are read once', async () => {
  const embedder = await open(2);
  const texts = sentences.map(({ text }) => text);
  const { vectors, progress } = await embed(embedder, [...texts, ...texts]);
  assert.deepEqual([progress.done, progress.total], [texts.length, texts.length]);
  for (const [i, text] of texts.entries()) {
    assert.deepEqual(vectors[texts.length + i], vectors[i]);
    assert.deepEqual((await embed(embedder, [text])).vectors[0], vectors[i], text);
  }
});

test('files that are missing, or something else, are named', async () => {
  const refused = (path: string | null, message: RegExp) =>
    assert.rejects(openSentence(parts(1), path), { name: 'EmbedderUnavailable', message });
  await refused(null, /needs a folder/);
  await refused(scratch, /model\.onnx cannot be read; a folder of one has model\.onnx and tokenizer\.json/);
  await writeFile(join(scratch, 'model.onnx'), 'not a model');
  await copyFile(join(folder, 'tokenizer.json'), join(scratch, 'tokenizer.json'));
  await refused(scratch, /model\.onnx cannot be opened/);
  await writeFile(join(scratch, 'tokenizer.json'), '{"model":{"type":"BPE"}}');
  await refused(scratch, /tokenizer\.json is none that can be used: it is of type BPE; it takes WordPiece/);
  await writeFile(join(scratch, 'tokenizer.json'), 'nonsense');
  await refused(scratch, /tokenizer\.json is none that can be used/);
});

test('in an engine: the texts of completions, with the same bits in every process, and a hash of its own', async () => {
  const path = await modelPath();
  const { encode } = await openTokenizer(path);
  const texts = sentences.slice(0, 3).map(({ text }) => text);
  const groups = [{ promptIds: encode('12 + 30 = ?'), completions: texts.map(encode) }];
  const inFreshProcess = async () => {
    const device = await openDevice({ modelPath: path, threads: 2 });
    try {
      assert.equal(await device.embedder({ name: 'reference', folder: null }), null);
      const sha256 = await device.embedder({ name: 'sentence', folder });
      await assert.rejects(device.embedder({ name: 'sentence', folder: '/nowhere' }), {
        name: 'EmbedderUnavailable',
        message: /\/nowhere: model\.onnx cannot be read/,
      });
      return { sha256, vectors: await device.embed({ name: 'sentence', folder }, groups) };
    } finally {
      await device.close();
    }
  };
  const first = await inFreshProcess();
  assert.match(first.sha256!, /^[0-9a-f]{64}$/);
  assert.deepEqual(await inFreshProcess(), first);
  const here = await embed(await open(2), texts);
  assert.deepEqual(first.vectors, [here.vectors]);
});
