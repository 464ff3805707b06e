import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instanceOf } from '../../activities/curriculum/identity.ts';
import { elide, stepMessages, type Rendering } from '../../activities/curriculum/prompts.ts';
import { answeredOnce, base } from './make.ts';

const countTokens = (text: string) => text.split(/\s+/).filter(Boolean).length;
const rendering: Rendering = {
  quote: (response) => response.trim(),
  templates: undefined,
  countTokens,
  responseBudget: 100,
};

test('the wording of the prompts is pinned', () => {
  const start = answeredOnce('sums', ' It is 4. ');
  assert.deepEqual(stepMessages(base('sums'), 'base', rendering), [{ role: 'user', content: 'Do sums.' }]);
  assert.deepEqual(stepMessages(start, 'improve', rendering), [
    {
      role: 'user',
      content: `Improve the current response to the request. If it is wrong, correct it. If it is right, keep its answer.

Request:
Do sums.

Current response:
It is 4.`,
    },
  ]);
  assert.deepEqual(stepMessages(start, 'diverge', rendering), [
    {
      role: 'user',
      content: `Answer the request with an approach that differs strongly from that of the current response.
Sum up the current approach in a few words, state a different approach, then give the new response.

Request:
Do sums.

Current response:
It is 4.`,
    },
  ]);
});

test('a configuration’s templates are filled in once: a response that names a placeholder stays as it is', () => {
  const start = answeredOnce('sums', '{request} $& {response}');
  const templates = { improve: '{response} | {request} | {other}', diverge: '-' };
  assert.equal(
    stepMessages(start, 'improve', { ...rendering, templates })[0]!.content,
    '{request} $& {response} | Do sums. | {other}',
  );
});

test('earlier turns appear as they were, with their latest iterate and no wrapper', () => {
  const instance = instanceOf({
    baseTaskId: 'episode',
    turn: 1,
    depth: 3,
    earlierDepths: [2],
    history: [
      {
        request: [
          { role: 'system', content: 'Tools: none.' },
          { role: 'user', content: 'First.' },
        ],
        response: 'one',
        feedback: null,
      },
      { request: [{ role: 'user', content: 'Second.' }], response: 'two', feedback: 'Error in line 1' },
    ],
    quality: 0,
    parent: null,
  });
  const messages = stepMessages(instance, 'improve', rendering);
  assert.deepEqual(
    messages.map(({ role, content }) => [role, content.split('\n')[0]]),
    [
      ['system', 'Tools: none.'],
      ['user', 'First.'],
      ['assistant', 'one'],
      [
        'user',
        'Improve the current response to the request. If it is wrong, correct it. If it is right, keep its answer.',
      ],
    ],
  );
  assert.ok(messages[3]!.content.endsWith('two\n\nFeedback:\nError in line 1'));
});

test('system messages of a wrapped request stay in front of the wrapper', () => {
  const { history, ...rest } = answeredOnce('sums', 'four');
  const system = { role: 'system' as const, content: 'Be brief.' };
  const instance = {
    ...rest,
    history: [{ ...history[0]!, request: [system, ...history[0]!.request] }],
  };
  const [first, second] = stepMessages(instance, 'improve', rendering);
  assert.deepEqual(first, system);
  assert.ok(!second!.content.includes('Be brief.'));
});

test('a long response keeps its head and tail, and says how much is missing', () => {
  const words = Array.from({ length: 100 }, (_, index) => `w${index}`);
  const shown = elide(words.join(' '), 20, countTokens);
  assert.equal(
    shown,
    `${words.slice(0, 5).join(' ')}\n[… 80 tokens omitted …]\n${words.slice(85).join(' ')}`,
  );
  assert.equal(elide(words.join(' '), 100, countTokens), words.join(' '));
});

test('eliding does not break characters apart', () => {
  const shown = elide('😀'.repeat(50), 8, (text) => [...text].length);
  assert.equal(shown, '😀😀\n[… 42 tokens omitted …]\n😀😀😀😀😀😀');
});
