import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProblems } from '../../activities/domains/problems/parse.ts';

test('a problem a line; empty lines are none', () => {
  const lines = [
    '{"id":"a","question":"2 + 2?","answer":"4"}',
    '',
    '{"id":"b","question":"Why?","answer":null}',
  ];
  assert.deepEqual(
    parseProblems(lines, 'mine.jsonl').map(({ id, answer }) => [id, answer]),
    [
      ['a', '4'],
      ['b', null],
    ],
  );
});

test('what is wrong is named by its line', () => {
  const refused = (line: string, message: RegExp) =>
    assert.throws(
      () => parseProblems(['{"id":"a","question":"q","answer":null}', line], 'mine.jsonl'),
      message,
    );
  refused('{', /mine\.jsonl, line 2: not JSON/);
  refused('{"id":"b","answer":"4"}', /line 2: question: .*"question": "…"/);
  refused('{"id":"b","question":"q","answer":"4","gold":1}', /line 2: .*gold/);
  refused('{"id":"a","question":"q","answer":"4"}', /line 2: 'a' is the id of line 1 too/);
});
