import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandFailure, exitCodes } from '../../client/exit.ts';
import { patiently } from '../../client/patience.ts';

const away = new CommandFailure(exitCodes.unreachable, 'nobody there');

/** Looks that come to these, one after the other. */
function looking(...outcomes: (string | Error)[]) {
  return patiently(() => {
    const outcome = outcomes.shift()!;
    return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
  });
}

test('a server that has answered may be away for a minute', async (context) => {
  context.mock.timers.enable({ apis: ['Date'] });
  const look = looking('first', away, away, 'second', away, away);
  assert.equal(await look(), 'first');
  context.mock.timers.tick(59_000);
  assert.equal(await look(), null);
  context.mock.timers.tick(1_000);
  assert.equal(await look(), null);
  assert.equal(await look(), 'second');
  context.mock.timers.tick(60_000);
  assert.equal(await look(), null);
  context.mock.timers.tick(1);
  await assert.rejects(look(), away);
});

test('one that never answered, and any other failure, is told at once', async () => {
  await assert.rejects(looking(away)(), away);
  const other = new CommandFailure(exitCodes.notFound, 'no such run');
  const look = looking('first', other);
  await look();
  await assert.rejects(look(), other);
});
