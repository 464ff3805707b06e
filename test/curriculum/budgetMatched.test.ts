import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  budgetMatched as resampled,
  majority,
  type Costed,
  type Iterate,
} from '../../activities/curriculum/budgetMatched.ts';
import { stream } from '../../activities/random.ts';

const budgetMatched = (chainsPSK: Iterate[][][], freshPSN: Costed[][][], seed: number) =>
  resampled(chainsPSK, freshPSN, seed, () => Promise.resolve());

const answer = (quality: number, tokens: number, text: string | null): Costed => ({
  quality,
  tokens,
  answer: text,
});

/** A chain of single-turn answers: each costs what it has. */
const chained = (answers: readonly Costed[]): Iterate[] =>
  answers.map((one, k) => ({
    ...one,
    spent: answers.slice(0, k + 1).reduce((sum, { tokens }) => sum + tokens, 0),
  }));

test('as many independent answers as the iterates have tokens, beginning with the same first answer', async () => {
  const chain = [answer(0, 10, '4'), answer(0, 10, '4'), answer(1, 10, '5')];
  const fresh = [answer(1, 5, '5'), answer(1, 5, '5')];
  const [first, second, third] = await budgetMatched([[chained(chain)]], [[fresh]], 1);
  // 10 tokens: the first answer alone.
  assert.deepEqual([first!.answers, first!.majority.value, first!.bestOf.value], [1, 0, 0]);
  // 20 tokens buy 10 + 5 + 5.
  assert.equal(second!.answers, 3);
  assert.deepEqual([second!.majority.value, second!.bestOf.value], [1, 1]);
  // The iterates 4, 4: neither a vote nor a verifier finds 5.
  assert.deepEqual([second!.majorityOfIterates.value, second!.bestOfIterates.value], [0, 0]);
  // 4, 4, 5: only a verifier does.
  assert.deepEqual([third!.majorityOfIterates.value, third!.bestOfIterates.value], [0, 1]);
});

test('resampling: what one independent answer is worth, however long right and wrong answers are', async () => {
  // Right answers of 12 tokens, wrong ones cut off at 48: those that fit into a budget are right more often.
  const random = stream(['budgetMatched test']);
  const drawn = () => (random() < 0.5 ? answer(1, 12, 'right') : answer(0, 48, null));
  const problems = Array.from({ length: 1000 }, () => ({
    chain: [drawn(), drawn(), drawn()],
    fresh: [drawn(), drawn()],
  }));
  const found = await budgetMatched(
    problems.map(({ chain }) => [chained(chain)]),
    problems.map(({ fresh }) => [fresh]),
    1,
  );
  const played = problems.flatMap(({ chain, fresh }) => [chain[0]!, ...fresh]);
  const share = played.filter(({ quality }) => quality === 1).length / played.length;
  assert.ok(Math.abs(share - 0.5) < 0.03, String(share));
  for (const { resampling } of found) {
    assert.ok(Math.abs(resampling.value - share) < 1e-9, JSON.stringify(resampling));
    assert.ok(resampling.low < 0.5 && 0.5 < resampling.high);
  }
});

test('a vote: the most frequent answer, of equals the earliest, no answer no vote', () => {
  assert.equal(majority([answer(0, 1, 'a'), answer(1, 1, 'b'), answer(1, 1, ' b ')]), 1);
  assert.equal(majority([answer(1, 1, 'a'), answer(0, 1, 'b')]), 1);
  assert.equal(majority([answer(0, 1, null), answer(0, 1, null), answer(1, 1, 'b')]), 1);
  assert.equal(majority([answer(0, 1, null)]), 0);
});

test('for any answers: never over the budget, best of n is the most, k = 0 is one answer on both sides', async () => {
  const one = fc.record({
    quality: fc.constantFrom(0, 1),
    tokens: fc.integer({ min: 1, max: 40 }),
    answer: fc.constantFrom('1', '2', '3', null),
  });
  await fc.assert(
    fc.asyncProperty(
      fc
        .integer({ min: 1, max: 4 })
        .chain((depth) =>
          fc.array(
            fc.tuple(
              fc.array(one, { minLength: depth + 1, maxLength: depth + 1 }),
              fc.array(one, { minLength: depth, maxLength: depth }),
            ),
            { minLength: 1, maxLength: 5 },
          ),
        ),
      async (pairs) => {
        const found = await budgetMatched(
          pairs.map(([chain]) => [chained(chain)]),
          pairs.map(([, fresh]) => [fresh]),
          7,
        );
        assert.equal(found.length, pairs[0]![0].length);
        assert.equal(found[0]!.answers, 1);
        assert.equal(found[0]!.bestOf.value, found[0]!.bestOfIterates.value);
        for (const [index, { answers, resampling, majority, bestOf, k }] of found.entries()) {
          assert.equal(k, index);
          assert.ok(answers >= 1 && answers <= k * 40 + 1);
          assert.ok(bestOf.value >= majority.value);
          assert.deepEqual(resampling, found[0]!.resampling);
          if (index > 0) assert.ok(answers >= found[index - 1]!.answers);
        }
      },
    ),
    { numRuns: 50 },
  );
});
