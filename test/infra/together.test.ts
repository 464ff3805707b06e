import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { together } from '../../infra/together.ts';

test('everything has ended when it is told; the first failure in order, not in time', async () => {
  const ended: string[] = [];
  const work = async (name: string, ms: number, fails = false) => {
    await sleep(ms);
    ended.push(name);
    if (fails) throw new Error(name);
    return name;
  };
  assert.deepEqual(await together([work('slow', 40), work('quick', 1)]), ['slow', 'quick']);
  ended.length = 0;
  await assert.rejects(together([work('slow', 40, true), work('quick', 1, true), work('last', 80)]), {
    message: 'slow',
  });
  assert.deepEqual(ended, ['quick', 'slow', 'last']);
});
