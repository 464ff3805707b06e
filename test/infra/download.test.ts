import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { InfraProblem } from '../../infra/problem.ts';
import { download } from '../../infra/setup/download.ts';

const body = Buffer.alloc(300_000, 'reiterate');
const sha256 = createHash('sha256').update(body).digest('hex');
const folder = await mkdtemp(join(tmpdir(), 'reiterate-download-'));

const server = createServer((request, response) => {
  if (request.url === '/moved') return response.writeHead(302, { location: '/whole' }).end();
  if (request.url === '/missing') return response.writeHead(404).end('no such thing');
  response.writeHead(200, { 'content-length': body.length });
  if (request.url === '/whole') return response.end(body);
  response.write(body.subarray(0, 1000));
  if (request.url === '/broken') setTimeout(() => response.destroy(), 50);
  return undefined; // `/silent` sends nothing more.
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address() as AddressInfo;
after(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

const get = (path: string, expected = sha256, silenceMs = 60_000) =>
  download(
    { url: `http://127.0.0.1:${port}${path}`, sha256: expected, silenceMs },
    join(folder, path.slice(1)),
    () => {},
  );

test('a file is downloaded, also after a redirect', async () => {
  await get('/moved');
  assert.deepEqual(await readFile(join(folder, 'moved')), body);
});

test('every way a download can fail is told apart', async () => {
  await assert.rejects(get('/missing'), problem(/\/missing answered 404/));
  await assert.rejects(get('/whole', 'f'.repeat(64)), problem(/whole has SHA-256 .* instead of f{64}/));
  await assert.rejects(get('/broken'), problem(/127\.0\.0\.1:\d+ cannot be reached/));
  await assert.rejects(get('/silent', sha256, 500), problem(/sent nothing for 0\.5 s/));
  await assert.rejects(
    download({ url: 'http://127.0.0.1:1/x', sha256 }, join(folder, 'x'), () => {}),
    problem(/127\.0\.0\.1:1 cannot be reached/),
  );
});

function problem(message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof InfraProblem, String(error));
    assert.match(error.message, message);
    return true;
  };
}
