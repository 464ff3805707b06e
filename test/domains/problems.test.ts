import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDomain } from '../../activities/domains/open.ts';
import { gradeAnswer } from '../../activities/domains/answer.ts';
import { DomainConfig, type DomainOf } from '../../workflows/contract/domain.ts';

const config: DomainOf<'problems'> = {
  name: 'problems',
  instruction: 'Put your final answer in \\boxed{}.',
  train: [{ id: 'sum', question: 'What is 2 + 3?', answer: '5' }],
  heldOut: [
    { id: 'capital', question: 'Which city is the capital of France?', answer: 'Paris' },
    { id: 'open', question: 'Why?', answer: null },
  ],
};

test('problems of one’s own: their questions, their splits, their answers', async () => {
  const domain = openDomain(config);
  assert.deepEqual(domain.taskIds('train'), ['sum']);
  assert.deepEqual(domain.taskIds('heldOut'), ['capital', 'open']);
  assert.deepEqual(domain.task('sum'), {
    id: 'sum',
    family: 'problems',
    request: [{ role: 'user', content: 'What is 2 + 3? Put your final answer in \\boxed{}.' }],
    gold: '5',
  });
  const answered = (response: string) => [{ request: [], response, feedback: null }];
  assert.deepEqual(await domain.grade('sum', answered('That makes \\boxed{5.0}.')), {
    quality: 1,
    verdict: 'correct',
    answer: '5.0',
  });
  await assert.rejects(domain.grade('open', answered('Because.')), /'open' has no answer/);
  assert.throws(() => domain.task('none'), /no task 'none'/);
});

test('answers are compared as numbers, else as texts', () => {
  const verdict = (response: string, right: string) => gradeAnswer(response, right).verdict;
  assert.equal(verdict('It is 1,000.', '1000'), 'correct');
  assert.equal(verdict('\\boxed{1/2}', '0.5'), 'correct');
  assert.equal(verdict('\\boxed{  new   york }', 'New York'), 'correct');
  assert.equal(verdict('\\boxed{York}', 'New York'), 'wrong');
  assert.equal(verdict('\\boxed{7}', 'New York'), 'wrong');
  assert.equal(verdict('I do not know.', 'New York'), 'noAnswer');
});

test('an id names one problem', () => {
  const twice = { ...config, heldOut: [...config.heldOut, config.heldOut[0]!] };
  const problem = DomainConfig.safeParse(twice).error?.issues[0];
  assert.deepEqual(problem?.path, ['heldOut', 2, 'id']);
  assert.match(problem?.message ?? '', /'capital' is the id of another problem/);
  assert.throws(
    () => openDomain({ ...config, heldOut: [config.train[0]!] }),
    /domain\.heldOut: 'sum' is the id of a training problem too/,
  );
});
