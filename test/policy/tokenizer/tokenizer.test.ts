import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { ggufSource } from '../../../activities/policy/tokenizer/ggufSource.ts';
import { exactPreTokenizer } from '../../../activities/policy/tokenizer/preTokenizer.ts';
import { openTokenizer, tokenizerFrom } from '../../../activities/policy/tokenizer/tokenizer.ts';
import { readGgufHeader, type GgufHeader } from '../../../activities/policy/weights/ggufHeader.ts';
import type { Message } from '../../../activities/curriculum/types.ts';
import { modelPath } from '../model.ts';
import { longText, summaryOf } from './longText.ts';

interface Fixture {
  texts: { text: string; ids: number[] }[];
  long: { count: number; sha256: string };
  decoded: { ids: number[]; text: string }[];
  chats: { messages: Message[]; text: string }[];
  others: Record<string, number[][]>;
}
const fixtures = new URL('../../fixtures/policy/', import.meta.url);
const golden = JSON.parse(await readFile(new URL('tokenizer.json', fixtures), 'utf8')) as Fixture;
const header = await readGgufHeader(await modelPath());
const long = longText(golden.texts.map(({ text }) => text));
const fromHeader = (header: GgufHeader) => tokenizerFrom(ggufSource(header));
const tokenizer = fromHeader(header);
const tinyPath = fileURLToPath(new URL('tiny.gguf', fixtures));

test('text becomes the ids that the Rust tokeniser gives', () => {
  for (const { text, ids } of golden.texts)
    assert.deepEqual(tokenizer.encode(text), ids, JSON.stringify(text));
});

test('so do 100 kB of text', () => {
  assert.deepEqual(summaryOf(tokenizer.encode(long)), golden.long);
});

test('the pre-tokeniser that the published tokenizer.json has cuts like the one named in the GGUF file', () => {
  const source = ggufSource(header);
  const pre_tokenizer = exactPreTokenizer({
    type: 'Sequence',
    pretokenizers: [
      { type: 'Digits', individual_digits: true },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    ],
  });
  const published = tokenizerFrom({ ...source, json: { ...source.json, pre_tokenizer } });
  assert.deepEqual(summaryOf(published.encode(long)), golden.long);
});

test('ids become text, without special tokens, half characters marked', () => {
  for (const { ids, text } of golden.decoded) assert.equal(tokenizer.decode(ids), text, JSON.stringify(text));
  assert.equal(tokenizer.decode([]), '');
});

test('plain text survives the way there and back', () => {
  assert.equal(
    tokenizer.decode(tokenizer.encode(long)),
    long.replaceAll(/<\|(im_start|im_end|endoftext)\|>|<(file_sep|repo_name)>/g, ''),
  );
});

test('the chat template renders as transformers renders it', () => {
  for (const { messages, text } of golden.chats) assert.equal(tokenizer.renderPrompt(messages), text);
});

test('every end token stops', () => {
  assert.deepEqual(
    tokenizer.stopTokenIds.map((id) => header.texts('tokenizer.ggml.tokens')[id]),
    ['<|endoftext|>', '<|im_end|>'],
  );
});

for (const [pre, idsOfTexts] of Object.entries(golden.others))
  test(`pre-tokeniser ${pre} cuts as the Rust tokeniser does`, () => {
    const other = fromHeader({
      ...header,
      text: (key) => (key === 'tokenizer.ggml.pre' ? pre : header.text(key)),
    });
    for (const [i, ids] of idsOfTexts.entries())
      assert.deepEqual(other.encode(golden.texts[i]!.text), ids, JSON.stringify(golden.texts[i]!.text));
  });

test('what is not supported is refused by name', async () => {
  const saying = (key: string, value: string) => ({
    ...header,
    text: (asked: string) => (asked === key ? value : header.text(asked)),
  });
  assert.throws(() => fromHeader(saying('tokenizer.ggml.pre', 'klingon')), {
    name: 'ModelUnavailable',
    message: /pre-tokeniser 'klingon' is not supported; supported: gpt-2, smollm, llama-bpe, qwen2/,
  });
  assert.throws(() => fromHeader(saying('tokenizer.ggml.model', 'llama')), {
    name: 'ModelUnavailable',
    message: /tokeniser 'llama' is not supported/,
  });
  const silent = fromHeader({
    ...header,
    has: (key) => key !== 'tokenizer.chat_template' && header.has(key),
  });
  assert.throws(() => silent.renderPrompt([]), { name: 'ModelUnavailable', message: /no chat template/ });
  const strict = fromHeader(
    saying('tokenizer.chat_template', "{{ raise_exception('roles must alternate') }}"),
  );
  assert.throws(() => strict.renderPrompt([{ role: 'user', content: 'a' }]), {
    name: 'ModelUnavailable',
    message: /refuses these messages \(user\): roles must alternate/,
  });
  assert.throws(() => fromHeader(saying('tokenizer.chat_template', '{% if %}')), {
    name: 'ModelUnavailable',
    message: /chat template of \S+ is not understood/,
  });
  await assert.rejects(openTokenizer('/nowhere.gguf'), { name: 'ModelUnavailable' });
});

test('the tiny model speaks bytes', async () => {
  const tiny = await openTokenizer(tinyPath);
  const text = tiny.renderPrompt([{ role: 'user', content: 'the in é 12' }]);
  const ids = tiny.encode(text);
  assert.equal(ids[0], 1);
  assert.equal(tiny.decode(ids), text.replaceAll(/<\|im_(start|end)\|>/g, ''));
  assert.deepEqual(tiny.stopTokenIds, [0, 2]);
});
