import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Client, Connection as TemporalConnection } from '@temporalio/client';
import { connectStore } from '../../activities/artifacts/minioStore.ts';
import { startDetached, stopProcess } from '../../infra/services/process.ts';
import { down, status, up } from '../../infra/services/services.ts';
import { ensureMinio } from '../../infra/setup/minio.ts';
import { ensureTemporal } from '../../infra/setup/temporal.ts';
import { namespace, searchAttributes } from '../../workflows/contract/names.ts';

// A home of its own; the programs come from the usual one.
process.env['REITERATE_TEMPORAL'] = await ensureTemporal(() => {});
process.env['REITERATE_MINIO'] = await ensureMinio(() => {});
const home = await mkdtemp(join(tmpdir(), 'reiterate-home-'));
process.env['REITERATE_HOME'] = home;
const lines: string[] = [];
const options = { instance: 'mine', report: (line: string) => void lines.push(line) };
const folder = join(home, 'services/mine');
after(async () => {
  await down({ ...options, erase: true });
  await rm(home, { recursive: true, force: true });
});

const states = async () => (await status(options)).map(({ name, state }) => `${name} ${state}`);
const bytes = new TextEncoder().encode('kept');

async function withTemporal<T>(
  address: string,
  work: (connection: TemporalConnection) => Promise<T>,
): Promise<T> {
  const connection = await TemporalConnection.connect({ address });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

test('before the first start they are stopped', async () => {
  assert.deepEqual(await states(), ['temporal stopped', 'minio stopped']);
});

test('up: ready for runs, on loopback, credentials for the owner only', async () => {
  const { connection } = await up(options);
  assert.deepEqual(await states(), ['temporal running', 'minio running']);
  for (const file of ['credentials.json', 'state.json', 'minio.log', 'temporal.log'])
    assert.equal((await stat(join(folder, file))).mode & 0o077, 0, file);
  const { temporal, store } = connection;
  assert.match(temporal.address, /^127\.0\.0\.1:/);
  // Runs do not need the pages; they may come a moment later.
  for (const page of [temporal.uiUrl!, store.consoleUrl!])
    await eventually(async () => assert.equal((await fetch(page)).status, 200));
  await connectStore(store).put('runs/note', bytes, 'text/plain');
  await withTemporal(temporal.address, async (connected) => {
    const { config } = await connected.workflowService.describeNamespace({ namespace });
    assert.equal(Number(config?.workflowExecutionRetentionTtl?.seconds), 90 * 24 * 3600);
    const { customAttributes } = await connected.operatorService.listSearchAttributes({ namespace });
    for (const name of Object.keys(searchAttributes)) assert.ok(name in customAttributes, name);
    const client = new Client({ connection: connected, namespace });
    await client.workflow.start('nobody', { workflowId: 'waits', taskQueue: 'none', args: [] });
  });
});

test('up again keeps what runs', async () => {
  const before = await status(options);
  await up(options);
  assert.deepEqual(await status(options), before);
});

test('killed services are shown as died; up starts them again at the same addresses with their data', async () => {
  const before = await status(options);
  for (const { pid } of before) process.kill(pid!, 'SIGKILL');
  await eventually(async () => assert.deepEqual(await states(), ['temporal died', 'minio died']));
  const { connection } = await up(options);
  const now = await status(options);
  assert.deepEqual(
    now.map(({ address, state }) => [address, state]),
    before.map(({ address }) => [address, 'running']),
  );
  assert.deepEqual((await connectStore(connection.store).find('runs/note'))?.bytes, bytes);
  await withTemporal(connection.temporal.address, async (connected) => {
    const described = await new Client({ connection: connected, namespace }).workflow
      .getHandle('waits')
      .describe();
    assert.equal(described.status.name, 'RUNNING');
  });
});

test('credentials that MinIO was not started with: a clear message, and down, up mends it', async () => {
  const file = join(folder, 'credentials.json');
  const made = await readFile(file, 'utf8');
  await writeFile(file, JSON.stringify({ accessKey: 'somebody', secretKey: 'something-else' }));
  await assert.rejects(up(options), {
    name: 'InfraProblem',
    message: /MinIO refuses the credentials.*reiterate down/,
  });
  const [, minio] = await status(options);
  assert.equal(minio?.state, 'silent');
  assert.match(minio?.detail ?? '', /refuses the credentials/);
  await down(options);
  const { connection } = await up(options);
  assert.deepEqual((await connectStore(connection.store).find('runs/note'))?.bytes, bytes);
  await down(options);

  await writeFile(file, '{"accessKey": "some');
  await assert.rejects(up(options), {
    name: 'InfraProblem',
    message: /credentials\.json is damaged; .*delete the file/,
  });
  await writeFile(file, made, { mode: 0o644 });
});

test('a port that another program took is left to it; the data come along', async (t) => {
  const [temporal, minio] = await status(options);
  assert.equal(minio?.state, 'stopped');
  const holders = [temporal, minio].map((service) =>
    createServer().listen(portOf(service?.address), '127.0.0.1'),
  );
  t.after(() => holders.map((holder) => holder.close()));
  await Promise.all(holders.map((holder) => once(holder, 'listening')));
  const { connection, services } = await up(options);
  assert.notEqual(services[0]?.address, temporal?.address);
  assert.notEqual(services[1]?.address, minio?.address);
  assert.ok(
    lines.some((line) =>
      line.startsWith(`MinIO: port ${portOf(minio?.address)} taken by another program, using `),
    ),
  );
  assert.deepEqual((await connectStore(connection.store).find('runs/note'))?.bytes, bytes);
});

test('a pid that another process has now is left alone', async () => {
  await down(options);
  const bystander = spawn('sleep', ['60']);
  const file = join(folder, 'state.json');
  const state = JSON.parse(await readFile(file, 'utf8')) as { minio: { process: unknown } };
  state.minio.process = { pid: bystander.pid, started: 'another-boot/1' };
  await writeFile(file, JSON.stringify(state));
  assert.deepEqual(await states(), ['temporal stopped', 'minio died']);
  await down(options);
  assert.deepEqual(await states(), ['temporal stopped', 'minio stopped']);
  assert.equal(bystander.exitCode ?? bystander.signalCode, null);
  bystander.kill('SIGKILL');
});

test('a service that cannot start says why and where its log is', async () => {
  const usual = process.env['REITERATE_MINIO'];
  const broken = join(home, 'broken-minio');
  await writeFile(broken, '#!/bin/sh\necho the drive is broken\nexit 1\n', { mode: 0o755 });
  process.env['REITERATE_MINIO'] = broken;
  await assert.rejects(up(options), {
    name: 'InfraProblem',
    message: /MinIO did not start: it ended\. Its log .*minio\.log ends: the drive is broken/,
  });
  assert.deepEqual(await states(), ['temporal running', 'minio stopped']);
  process.env['REITERATE_MINIO'] = usual;
});

test('a process that ignores SIGTERM is killed after its grace', async () => {
  const stubborn = {
    file: 'sh',
    args: ['-c', "trap '' TERM; echo ready; while :; do sleep 0.1; done"],
    env: {},
  };
  const log = join(home, 'stubborn.log');
  const id = await startDetached(stubborn, log);
  await eventually(async () => assert.equal(await readFile(log, 'utf8'), 'ready\n'));
  assert.equal(await stopProcess(id, 300), 'killed');
  assert.equal(await stopProcess(id, 300), 'gone');
});

test('up that waits for a down with erase begins anew', async () => {
  const { connection } = await up(options);
  await connectStore(connection.store).put('runs/old', bytes, 'text/plain');
  lines.length = 0;
  const erased = down({ ...options, erase: true });
  // Else `up` might be first.
  await eventually(() => Promise.resolve(assert.ok(lines.some((line) => /: (stopped|killed)$/.test(line)))));
  const [{ connection: fresh }] = await Promise.all([up(options), erased]);
  assert.deepEqual(await states(), ['temporal running', 'minio running']);
  assert.equal(await connectStore(fresh.store).find('runs/old'), null);
});

test('down with erase removes everything', async () => {
  await down({ ...options, erase: true });
  await assert.rejects(access(folder), { code: 'ENOENT' });
  assert.deepEqual(await states(), ['temporal stopped', 'minio stopped']);
});

function portOf(address: string | null | undefined): number {
  return Number(address?.split(':')[1]);
}

/** Until it holds, for at most ten seconds. */
async function eventually(holds: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    try {
      return await holds();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
