import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { deadlineTransport } from '../../activities/artifacts/transport.ts';

const silenceMs = 1500;

/** Asks a server, and sleeps, deaf and dumb, for longer than it may be silent. */
async function askAndSleep(port: number): Promise<string> {
  const sent = deadlineTransport(false, silenceMs).request({ port, host: '127.0.0.1' });
  sent.end();
  const answer = once(sent, 'response') as Promise<[IncomingMessage]>;
  await once(sent, 'finish');
  setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1.5 * silenceMs));
  const [response] = await answer;
  return (await response.toArray()).join('');
}

test('an answer that came in time counts, also when nobody had the time to read it', async () => {
  const server = new Worker(
    `const { createServer } = require('node:http');
     const { parentPort } = require('node:worker_threads');
     const server = createServer((_, response) => setTimeout(() => response.end('here'), 100));
     server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));`,
    { eval: true },
  );
  after(() => server.terminate());
  const [port] = (await once(server, 'message')) as [number];
  assert.equal(await askAndSleep(port), 'here');
});

test('a server that says nothing is silent', async () => {
  const server = createServer(() => {}).listen(0, '127.0.0.1');
  after(() => (server.closeAllConnections(), server.close()));
  await once(server, 'listening');
  await assert.rejects(askAndSleep((server.address() as AddressInfo).port), {
    code: 'ETIMEDOUT',
    message: 'silent for 1.5 s',
  });
});
