import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDomain } from '../../activities/domains/open.ts';
import { families } from '../../activities/domains/arithmetic/families.ts';
import { gradeAnswer } from '../../activities/domains/answer.ts';
import { allocate } from '../../activities/domains/arithmetic/tasks.ts';
import type { DomainOf } from '../../workflows/contract/domain.ts';

const config: DomainOf<'arithmetic'> = {
  name: 'arithmetic',
  families: { addOne: 1, subtractTwo: 2, wordTwo: 0.5, chain: 0 },
  trainTasks: 100,
  heldOutTasks: 35,
  taskSeed: 3,
};

/** What a question asks, worked out from its text. */
function solve(question: string): number | null {
  const expression = /^What is ([-+*/. \d]+)\?$/.exec(question)?.[1];
  return expression === undefined ? null : (Function(`return ${expression}`)() as number);
}

test('every problem’s gold answer is right, and every question is distinct', () => {
  const questions = new Set<string>();
  let problems = 0;
  for (const [name, { size, steps, problem }] of Object.entries(families)) {
    const stride = Math.max(1, Math.floor(size / 5000));
    for (let index = 0; index < size; index += stride) {
      const { question, gold } = problem(index);
      problems++;
      questions.add(question);
      assert.equal(gradeAnswer(`\\boxed{${gold}}`, gold).verdict, 'correct', `${name}: ${question} ${gold}`);
      const value = solve(question);
      const [over, under = 1] = gold.split('/').map(Number);
      if (value !== null) {
        assert.ok(Math.abs(over! / under - value) < 1e-9, `${question} ${gold}`);
        assert.equal(question.match(/[-+*/]/g)!.length, steps, question);
      } else assert.ok(name.startsWith('word') && Number(gold) >= 0);
    }
  }
  assert.equal(questions.size, problems);
});

test('word problems: the numbers of the text lead to the gold answer', () => {
  const numbers = (text: string) => [...text.matchAll(/\d+/g)].map(([digits]) => Number(digits));
  for (const name of ['wordOne', 'wordTwo'] as const)
    for (let index = 0; index < families[name]!.size; index += 97) {
      const { question, gold } = families[name]!.problem(index);
      const [a, b, c] = numbers(question) as [number, number, number];
      const expected = question.includes('gets')
        ? a + b
        : question.includes('gave away')
          ? a - b
          : question.includes('fills')
            ? a * b
            : question.includes('lost')
              ? a - b - c
              : a * b + c;
      assert.equal(Number(gold), expected, question);
    }
});

test('training and held-out problems are distinct, in the asked numbers and proportions', () => {
  const domain = openDomain(config);
  const [train, heldOut] = [domain.taskIds('train'), domain.taskIds('heldOut')];
  assert.deepEqual([train.length, heldOut.length], [100, 35]);
  const questions = [...train, ...heldOut].map((id) => domain.task(id).request[0]!.content);
  assert.equal(new Set(questions).size, 135);
  const count = (ids: readonly string[], family: string) =>
    ids.filter((id) => domain.task(id).family === family).length;
  assert.deepEqual(
    ['addOne', 'subtractTwo', 'wordTwo', 'chain'].map((family) => [
      count(train, family),
      count(heldOut, family),
    ]),
    [
      [29, 10],
      [57, 20],
      [14, 5],
      [0, 0],
    ],
  );
  // The first seven are already the mix 2 : 4 : 1.
  assert.equal(count(heldOut.slice(0, 7), 'subtractTwo'), 4);
});

test('the seed decides the problems; more training problems leave the held-out ones as they are', () => {
  const ids = (changes: Partial<DomainOf<'arithmetic'>>, split: 'train' | 'heldOut') =>
    openDomain({ ...config, ...changes }).taskIds(split);
  assert.deepEqual(ids({}, 'train'), ids({}, 'train'));
  assert.notDeepEqual(ids({}, 'train'), ids({ taskSeed: 4 }, 'train'));
  assert.deepEqual(ids({}, 'heldOut'), ids({ trainTasks: 150 }, 'heldOut'));
});

test('a request has the measured wording', () => {
  const domain = openDomain({ ...config, families: { addOne: 1 }, trainTasks: 1, heldOutTasks: 1 });
  const { request, gold } = domain.task(domain.taskIds('train')[0]!);
  assert.equal(request.length, 1);
  assert.match(request[0]!.content, /^What is \d \+ \d\? Put your final answer in \\boxed\{\}\.$/);
  assert.match(gold, /^\d+$/);
});

test('shares are whole, add up, and go to the largest remainders', () => {
  assert.deepEqual(allocate(10, [1, 1, 1]), [4, 3, 3]);
  assert.deepEqual(allocate(7, [0.6, 0.3, 0.1]), [4, 2, 1]);
  assert.deepEqual(allocate(0, [1, 2]), [0, 0]);
});

test('impossible configurations are named by path', () => {
  const refused = (changes: Partial<DomainOf<'arithmetic'>>, message: RegExp) =>
    assert.throws(() => openDomain({ ...config, ...changes }), { name: 'InvalidRunConfig', message });
  refused(
    { families: { addOnes: 1 } },
    /^domain\.families\.addOnes: there is no such family; the nearest valid one is 'addOne'/,
  );
  refused({ families: { toString: 1 } }, /domain\.families\.toString/);
  refused({ families: { addOne: 0 } }, /^domain\.families: no family has a weight above 0/);
  refused(
    { families: { addOne: 1 }, trainTasks: 90, heldOutTasks: 11 },
    /^domain\.families\.addOne: 90 training and 11 held-out problems asked for, but there are only 100/,
  );
});

test('an unknown task is named', () => {
  assert.throws(() => openDomain(config).task('addOne-x'), { message: /no task 'addOne-x'/ });
});

test('an episode ends after its first answer, and grades are those of the latest iterate', async () => {
  const domain = openDomain(config);
  const { id, request, gold } = domain.task(domain.taskIds('train')[0]!);
  const history = [{ request, response: `\\boxed{${gold}}`, feedback: null }];
  assert.deepEqual(domain.observe(id, history), { done: true, feedback: null });
  assert.deepEqual(await domain.grade(id, history), { quality: 1, verdict: 'correct', answer: gold });
});
