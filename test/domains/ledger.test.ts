import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import type { History } from '../../activities/curriculum/types.ts';
import type { Domain } from '../../activities/domains/domain.ts';
import { createGraderPool } from '../../activities/domains/grader/pool.ts';
import { openDomain } from '../../activities/domains/open.ts';
import { parseRunConfig } from '../../workflows/contract/validate.ts';
import type { DomainOf } from '../../workflows/contract/domain.ts';
import { aConfig } from '../client/config.ts';

const config: DomainOf<'ledger'> = {
  name: 'ledger',
  turns: { least: 2, most: 4 },
  largest: 9,
  trainTasks: 60,
  heldOutTasks: 20,
  taskSeed: 7,
};
const domain = openDomain(config);
const pool = createGraderPool({ processes: 1 });
after(() => pool.close());

/** The balances that the texts of an episode lead to, read anew from the words. */
function balanceAfter(balance: number, request: string): number {
  const [, start] = /holds (\d+) coins\./.exec(request) ?? [];
  const [, coins, how] = /(\d+) (more come in|are taken out)\./.exec(request)!;
  return Number(start ?? balance) + (how === 'more come in' ? 1 : -1) * Number(coins);
}

/** Plays an episode to its end; `answer` gets the right balance and the turn. */
function play(of: Domain, id: string, answer: (balance: number, turn: number) => string): History {
  const history: History = [];
  let request = of.task(id).request;
  let balance = 0;
  for (;;) {
    balance = balanceAfter(balance, request[0]!.content);
    const response = answer(balance, history.length);
    history.push({ request, response, feedback: null });
    const observed = of.observe(id, history);
    history.at(-1)!.feedback = observed.feedback;
    if (observed.done) return history;
    request = observed.request;
  }
}

test('tasks are distinct, disjoint, and a function of seed and number', () => {
  const [train, heldOut] = [domain.taskIds('train'), domain.taskIds('heldOut')];
  assert.deepEqual([train.length, heldOut.length], [60, 20]);
  const episodes = [...train, ...heldOut].map((id) =>
    JSON.stringify(play(domain, id, () => '\\boxed{0}').map(({ request }) => request)),
  );
  assert.equal(new Set(episodes).size, 80);
  const more = openDomain({ ...config, trainTasks: 90 });
  assert.deepEqual(more.taskIds('heldOut'), heldOut);
  assert.deepEqual(more.taskIds('train').slice(0, 60), train);
  const other = openDomain({ ...config, taskSeed: 8 });
  assert.notDeepEqual(other.task(other.taskIds('train')[0]!), domain.task(train[0]!));
  const families = [...train, ...heldOut].map((id) => domain.task(id).family);
  assert.deepEqual([...new Set(families)].sort(), ['2 turns', '3 turns', '4 turns']);
});

test('an episode has as many turns as its script, and its gold is what the words say', () => {
  for (const id of domain.taskIds('heldOut')) {
    const balances: number[] = [];
    const history = play(domain, id, (balance) => {
      balances.push(balance);
      return `It holds \\boxed{${balance}}.`;
    });
    assert.equal(domain.task(id).family, `${history.length} turns`);
    assert.ok(history.length <= domain.maxTurns);
    assert.equal(domain.task(id).gold, balances.join(', '));
    assert.ok(balances.every((balance) => balance >= 0));
  }
});

test('a request has the measured wording; what cannot be read is said in the next one', () => {
  const id = domain.taskIds('train')[0]!;
  assert.match(
    domain.task(id).request[0]!.content,
    /^A till holds \d coins\. \d (more come in|are taken out)\. How many coins does it hold now\? Put your final answer in \\boxed\{\}\.$/,
  );
  const silent = play(domain, id, () => 'I do not know.');
  assert.equal(silent[0]!.feedback, 'There is no number in that.');
  assert.match(
    silent[1]!.request[0]!.content,
    /^There is no number in that\. Then \d (more come in|are taken out)\./,
  );
  const plain = play(domain, id, () => '4');
  assert.equal(plain[0]!.feedback, null);
  assert.match(plain[1]!.request[0]!.content, /^Then \d (more come in|are taken out)\./);
});

test('quality is the share of right turns, also of an episode cut short, through the grader pool', async () => {
  const ids = domain.taskIds('heldOut');
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...ids),
      fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
      fc.integer({ min: 1, max: 4 }),
      async (id, rightT, reached) => {
        const whole = play(domain, id, (balance, turn) => `${balance + (rightT[turn] ? 0 : 1)}`);
        const history = whole.slice(0, reached);
        const right = history.filter((_, turn) => rightT[turn]).length;
        const { quality } = await domain.grade(id, history);
        assert.equal(quality, right / whole.length);
      },
    ),
  );
  const items = ids.slice(0, 3).map((taskId) => ({ taskId, history: play(domain, taskId, String) }));
  const graded = await pool.grade(config, items, { timeoutMs: 5000 });
  assert.deepEqual(
    graded.map((answer) => 'grade' in answer && answer.grade),
    items.map(({ taskId }) => ({ quality: 1, verdict: 'correct', answer: domain.task(taskId).gold })),
  );
});

test('impossible configurations are named by path', () => {
  assert.throws(
    () => openDomain({ ...config, turns: { least: 1, most: 1 }, largest: 1, trainTasks: 5, heldOutTasks: 1 }),
    { name: 'InvalidRunConfig', message: /^domain: 5 training and 1 held-out tasks .* only 3 distinct/ },
  );
  const wrong = parseRunConfig({ ...aConfig(), domain: { ...config, turns: { least: 3, most: 2 } } });
  assert.deepEqual(!wrong.ok && wrong.problems, ['domain.turns: least is more than most']);
  const unknown = parseRunConfig({ ...aConfig(), domain: { ...config, turn: 2 } });
  assert.deepEqual(!unknown.ok && unknown.problems, [
    "domain.turn: unknown key; the nearest valid one is 'turns'",
  ]);
});
