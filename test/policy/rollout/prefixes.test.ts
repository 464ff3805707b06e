import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { planReadings, prefixPasses } from '../../../activities/policy/rollout/prefixes.ts';

const tokens = (count: number, first: number) => Array.from({ length: count }, (_, i) => first + i);

test('every prompt is read once, after tokens it begins with, in passes within the limit', () => {
  const prompt = fc
    .tuple(
      fc.integer({ min: 0, max: 30 }),
      fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 40 }),
    )
    .map(([shared, own]) => [...tokens(shared, 10), ...own]);
  fc.assert(
    fc.property(
      fc.array(prompt, { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 10, max: 300 }),
      (prompts, limit) => {
        const readings = planReadings(prompts, limit);
        assert.deepEqual(
          readings.flatMap((reading) => reading.prompts).sort((a, b) => a - b),
          [...prompts.keys()],
        );
        for (const { prefix, rest, prompts: chosen } of readings) {
          const common = prompts[chosen[0]!]!.slice(0, prefix);
          let read = 0;
          for (const index of chosen) {
            assert.deepEqual(prompts[index]!.slice(0, prefix), common);
            assert.ok(prompts[index]!.length > prefix, 'its last token is its own');
            read += prompts[index]!.length - prefix;
          }
          assert.equal(rest, read);
          let past = 0;
          for (const end of prefixPasses(0, prefix, rest, limit)) {
            assert.ok(end > past && end <= prefix);
            assert.ok((end - past) * end <= limit ** 2);
            past = end;
          }
          const last = prefix - past + rest;
          assert.ok(last * (past + last) <= limit ** 2);
        }
      },
    ),
  );
});

test('prompts of two templates are read apart, each template once', () => {
  const [one, other] = [tokens(200, 1000), [...tokens(40, 1000), ...tokens(160, 5000)]];
  const prompts = [1, 2, 3, 4].map((own, i) => [...(i % 2 ? other : one), own]);
  assert.deepEqual(planReadings(prompts, 2048), [
    { prefix: 200, rest: 2, prompts: [0, 2] },
    { prefix: 200, rest: 2, prompts: [1, 3] },
  ]);
});

test('prompts that share little are read together all the same: a pass has its price', () => {
  const prompts = [0, 1, 2].map((own) => [1, 2, ...tokens(10, 100 * (own + 1))]);
  assert.deepEqual(planReadings(prompts, 2048), [{ prefix: 2, rest: 30, prompts: [0, 1, 2] }]);
});
