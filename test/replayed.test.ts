import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { instanceOf } from '../activities/curriculum/identity.ts';
import { stepMessages } from '../activities/curriculum/prompts.ts';
import type { Message } from '../activities/curriculum/types.ts';
import type { Tokenizer } from '../activities/policy/policy.ts';
import { openTokenizer } from '../activities/policy/tokenizer/tokenizer.ts';
import { assertReplays, replayedOf } from '../activities/replayed.ts';

const tokenizer = await openTokenizer(
  fileURLToPath(new URL('fixtures/policy/families/qwen2-tied', import.meta.url)),
);
const user = (content: string): Message => ({ role: 'user', content });

function promptOf(responses: string[], { renderPrompt, encode }: Tokenizer = tokenizer) {
  const history = [...responses, null].map((response, turn) => ({
    request: [user(`What comes ${turn}?`)],
    response,
    feedback: null,
  }));
  const instance = instanceOf({
    baseTaskId: 'till-1',
    turn: responses.length,
    depth: 0,
    quality: null,
    history,
    parent: null,
  });
  const promptText = renderPrompt(
    stepMessages(instance, 'base', {
      quote: (response) => response,
      templates: undefined,
      countTokens: (text) => encode(text).length,
      responseBudget: 100,
    }),
  );
  return { instance, promptText, promptIds: encode(promptText) };
}

test('the answers of earlier turns are found in the prompt, each with its end and what stands before it', () => {
  const prompt = promptOf(['Two plus 3.\n', ' 17 ']);
  const replayed = replayedOf(prompt, tokenizer);
  assert.deepEqual(
    replayed.map(({ tokenIds }) => tokenizer.decode(tokenIds)),
    ['Two plus 3.\n', ' 17 '],
  );
  for (const { promptIds, tokenIds } of replayed) {
    assert.ok(tokenizer.stopTokenIds.includes(tokenIds.at(-1)!));
    assert.deepEqual(
      [...promptIds, ...tokenIds],
      prompt.promptIds.slice(0, promptIds.length + tokenIds.length),
    );
  }
  assert.match(tokenizer.decode(replayed[1]!.promptIds), /What comes 1\?\s*assistant\s*$/);
});

test('a first turn replays nothing', () => {
  assert.deepEqual(replayedOf(promptOf([]), tokenizer), []);
});

/** A chat template that shows contents in other words. */
const rewording = (change: (content: string) => string): Tokenizer => ({
  ...tokenizer,
  renderPrompt: (messages) =>
    tokenizer.renderPrompt(messages.map((message) => ({ ...message, content: change(message.content) }))),
});

test('a template that takes spaces away is followed', () => {
  const trimming = rewording((content) => content.trim());
  const [replayed] = replayedOf(promptOf([' 17\n'], trimming), trimming);
  assert.equal(tokenizer.decode(replayed!.tokenIds), '17');
  assertReplays(trimming);
  assertReplays(tokenizer);
});

test('a template that changes an answer is refused, with the way out, before anything is made', () => {
  const reversing = rewording((content) => [...content].reverse().join(''));
  assert.throws(() => replayedOf(promptOf(['17'], reversing), reversing), {
    name: 'InvalidRunConfig',
    message: /trainPrefix.*turn 1 of 'till-1'.*leave trainPrefix out/,
  });
  assert.throws(() => assertReplays(reversing), { name: 'InvalidRunConfig', message: /trainPrefix/ });
});
