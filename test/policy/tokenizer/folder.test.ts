import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Message } from '../../../activities/curriculum/types.ts';
import { openTokenizer } from '../../../activities/policy/tokenizer/tokenizer.ts';
import { longText, summaryOf } from './longText.ts';

interface GoldenText {
  ids: number[][];
  decoded: string[];
  long: { count: number; sha256: string };
  chats: string[];
}
interface Golden extends Record<'qwen2' | 'llama3', GoldenText> {
  texts: string[];
  chats: Message[][];
}
const families = fileURLToPath(new URL('../../fixtures/policy/families/', import.meta.url));
const golden = JSON.parse(await readFile(join(families, 'text.json'), 'utf8')) as Golden;
const long = longText(golden.texts);
const scratch = await mkdtemp(join(tmpdir(), 'tokenizer-'));
after(() => rm(scratch, { recursive: true, force: true }));

// The tied Qwen2 has its chat template in tokenizer_config.json, the others in chat_template.jinja.
for (const [form, kind, stops] of [
  ['qwen2-untied', 'qwen2', ['<|endoftext|>', '<|im_end|>']],
  ['qwen2-untied.gguf', 'qwen2', ['<|endoftext|>', '<|im_end|>']],
  ['qwen2-tied', 'qwen2', ['<|endoftext|>', '<|im_end|>']],
  ['llama3', 'llama3', ['<|end_of_text|>', '<|eom_id|>', '<|eot_id|>']],
  ['llama3.gguf', 'llama3', ['<|end_of_text|>', '<|eom_id|>', '<|eot_id|>']],
] as const)
  test(`${form}: text, ids and prompts equal those of the Rust tokeniser and transformers`, async () => {
    const tokenizer = await openTokenizer(join(families, form));
    const expected = golden[kind];
    golden.texts.forEach((text, i) => {
      assert.deepEqual(tokenizer.encode(text), expected.ids[i], JSON.stringify(text));
      assert.equal(tokenizer.decode(expected.ids[i]!), expected.decoded[i]);
    });
    assert.deepEqual(summaryOf(tokenizer.encode(long)), expected.long);
    golden.chats.forEach((messages, i) => assert.equal(tokenizer.renderPrompt(messages), expected.chats[i]));
    assert.deepEqual(
      tokenizer.stopTokenIds,
      stops.flatMap((token) => tokenizer.encode(token)),
    );
    assert.equal(tokenizer.decode([335]), '', 'a row of the table that stands for no token says nothing');
  });

/** A copy of a fixture's folder with one JSON file changed. */
async function changed(name: string, file: string, change: (json: Record<string, unknown>) => unknown) {
  const folder = await mkdtemp(join(scratch, 'model-'));
  await cp(join(families, name), folder, { recursive: true });
  const json = JSON.parse(await readFile(join(folder, file), 'utf8')) as Record<string, unknown>;
  await writeFile(join(folder, file), JSON.stringify(change(json)));
  return folder;
}

test('of several chat templates the default one is taken; tokens may be written with their properties', async () => {
  const folder = await changed('qwen2-tied', 'tokenizer_config.json', (json) => ({
    ...json,
    bos_token: { content: '<s>', special: true },
    chat_template: [
      { name: 'tool_use', template: 'no' },
      { name: 'default', template: '{{ bos_token }}{{ messages[0].content }}' },
    ],
  }));
  const tokenizer = await openTokenizer(folder);
  assert.equal(tokenizer.renderPrompt([{ role: 'user', content: 'hi' }]), '<s>hi');
});

test('a folder without what it takes is refused by name', async () => {
  const model = (name: string) => (json: Record<string, unknown>) => ({ ...json, model: { type: name } });
  const unigram = await changed('qwen2-tied', 'tokenizer.json', model('Unigram'));
  await assert.rejects(openTokenizer(unigram), {
    name: 'ModelUnavailable',
    message: /tokeniser 'Unigram' is not supported; supported: BPE/,
  });
  const strange = await changed('qwen2-tied', 'tokenizer.json', (json) => ({
    ...json,
    pre_tokenizer: { type: 'Runes' },
  }));
  await assert.rejects(openTokenizer(strange), { name: 'ModelUnavailable', message: /Runes/ });
  await rm(join(strange, 'tokenizer.json'));
  await assert.rejects(openTokenizer(strange), {
    name: 'ModelUnavailable',
    message: /has no tokenizer\.json/,
  });
  const wordless = await changed('qwen2-tied', 'tokenizer_config.json', () => ({}));
  const silent = await openTokenizer(wordless);
  assert.throws(() => silent.renderPrompt([]), { name: 'ModelUnavailable', message: /no chat template/ });
  assert.deepEqual(silent.stopTokenIds.length, 2, 'generation_config.json says what ends an answer');
});

test('a template that asks for the date gets none, so that a prompt is the same tomorrow', async () => {
  const folder = await changed('qwen2-tied', 'tokenizer_config.json', (json) => ({
    ...json,
    chat_template:
      '\n  {% if strftime_now is defined %}{{ strftime_now("%Y") }}{% else %}undated{% endif %} {{ tools is none }}',
  }));
  const tokenizer = await openTokenizer(folder);
  assert.equal(tokenizer.renderPrompt([]), '\nundated true');
});
