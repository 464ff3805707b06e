import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { answerIn, equals, gradeAnswer, parseNumber } from '../../activities/domains/answer.ts';

const answers: [response: string, answer: string | null][] = [
  ['The answer is \\boxed{7}.', '7'],
  ['\\boxed{3} no, \\boxed{ 4 }', '4'],
  ['\\boxed{\\frac{1}{2}}', '\\frac{1}{2}'],
  ['\\boxed{\\text{about } {7}}', '\\text{about } {7}'],
  ['So 3 + 4 = 7.', '7'],
  ['3 - 4 = -1', '-1'],
  ['10-3', '3'],
  ['from 5 to −2', '-2'],
  ['It costs $1,234.50 today', '1,234.50'],
  ['half is 1/2', '1/2'],
  ['half is \\frac{1}{2}', '\\frac{1}{2}'],
  ['It is 7. Put your final answer in \\boxed{}.', '7'],
  ['\\boxed{7', '7'],
  ['nothing here', null],
  ['', null],
];

for (const [response, answer] of answers)
  test(`the answer in ${JSON.stringify(response)} is ${answer}`, () =>
    assert.equal(answerIn(response), answer));

const correct: [response: string, gold: string][] = [
  ['\\boxed{7}', '7'],
  ['\\boxed{+7}', '7'],
  ['\\boxed{007}', '7'],
  ['\\boxed{7.0}', '7'],
  ['\\boxed{$7$}', '7'],
  ['\\boxed{7\\text{ apples}}', '7'],
  ['\\boxed{7 apples}', '7'],
  ['\\boxed{3 + 4 = 7}', '7'],
  ['\\boxed{x = 7}', '7'],
  ['\\boxed{-1}', '-1'],
  ['\\boxed{−1}', '-1'],
  ['\\boxed{1,234}', '1234'],
  ['\\boxed{1{,}234}', '1234'],
  ['\\boxed{0.5}', '1/2'],
  ['\\boxed{.5}', '1/2'],
  ['\\boxed{\\frac{1}{2}}', '2/4'],
  ['\\boxed{-\\dfrac{1}{2}}', '-1/2'],
  ['\\boxed{\\frac{-1}{2}}', '-1/2'],
  ['\\boxed{2/-4}', '-1/2'],
  ['\\boxed{6/2}', '3'],
  ['\\(\\boxed{3.70}\\)', '3.7'],
  ['That makes 12 apples.', '12'],
  ['\\boxed{5\\%}', '5'],
  ['\\boxed{\\$5}', '5'],
  ['5\\%', '5'],
  ['8 - 11\n-3', '-3'],
  ['It is 1,2345', '2345'],
  ['(5) -3', '3'],
  ['x = –2', '-2'],
  ['\\boxed{5\\;000}', '5000'],
  ['\\boxed{7\\mathrm{ m}}', '7'],
  ['\\boxed{90°}', '90'],
  ['\\boxed{Yes}', 'yes'],
  ['\\boxed{a  b}', 'a b'],
];
for (const [response, gold] of correct)
  test(`${JSON.stringify(response)} is ${gold}`, () =>
    assert.equal(gradeAnswer(response, gold).verdict, 'correct'));

const wrong: [response: string, gold: string][] = [
  ['\\boxed{8}', '7'],
  ['\\boxed{0 + 7}', '7'],
  ['\\boxed{6 or 7}', '7'],
  ['\\boxed{seven} 7', '7'],
  ['\\boxed{1,23}', '123'],
  ['\\boxed{0.3333}', '1/3'],
  ['\\boxed{1/0}', '0'],
  ['\\boxed{0/0}', '7'],
  ['\\boxed{--1}', '-1'],
  ['7 \\boxed{8}', '7'],
];
for (const [response, gold] of wrong)
  test(`${JSON.stringify(response)} is not ${gold}`, () =>
    assert.deepEqual(
      [gradeAnswer(response, gold).verdict, gradeAnswer(response, gold).quality],
      ['wrong', 0],
    ));

test('a response without any number has no answer', () =>
  assert.deepEqual(gradeAnswer('I do not know', '7'), { quality: 0, verdict: 'noAnswer', answer: null }));

test('numbers are read exactly, however large', () => {
  fc.assert(
    fc.property(fc.bigInt(), fc.bigInt({ min: 1n, max: 10n ** 30n }), (over, under) => {
      const read = parseNumber(`${over}/${under}`);
      assert.ok(read && equals(read, { numerator: over, denominator: under }));
      assert.ok(!equals(read, { numerator: over + 1n, denominator: under }));
    }),
  );
});

test('thousands separators and decimals say the same number', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -(10 ** 9), max: 10 ** 9 }),
      fc.integer({ min: 0, max: 999 }),
      (whole, part) => {
        const decimals = String(part).padStart(3, '0');
        const plain = parseNumber(`${whole}.${decimals}`);
        const separated = parseNumber(`${whole.toLocaleString('en-US')}.${decimals}00`);
        assert.ok(plain && separated && equals(plain, separated));
      },
    ),
  );
});

test('grading never throws and takes no time to speak of, whatever the text', () => {
  const pieces = fc.constantFrom(
    '\\boxed{',
    '}',
    '{',
    '\\frac',
    '1',
    ',',
    '.',
    '/',
    '-',
    ' ',
    '=',
    '$',
    'a',
    '\n',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 400 }), (parts) => {
      const { quality } = gradeAnswer(parts.join(''), '1');
      assert.ok(quality === 0 || quality === 1);
    }),
  );
  for (const text of ['1,111', '1/', '\\boxed{', '7 a ', '\\text{a} ', '- '].map((piece) =>
    piece.repeat(5000),
  ))
    gradeAnswer(`\\boxed{${text}}${text}`, '1');
  // Words after the number that end in what is no unit.
  for (const words of ['17 which is the total number of coins, as asked', `5 ${'a'.repeat(40)}!`])
    assert.equal(gradeAnswer(`\\boxed{${words}}`, '17').quality, 0);
});
