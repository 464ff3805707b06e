import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { randomBytes, randomUUID } from 'node:crypto';
import test from 'node:test';
import { Client } from 'minio';
import { sha256 } from '../../activities/artifacts/canonical.ts';
import { connectStore } from '../../activities/artifacts/minioStore.ts';
import { testServices } from '../services.ts';

const { store: connection } = await testServices();
const store = connectStore(connection);
const folder = `test-store/${randomUUID()}/`;
const bytesOf = (text: string) => new TextEncoder().encode(text);
const plain = 'text/plain';

test('what was put is read back, found, and listed in order', async () => {
  const empty = await store.put(`${folder}list/b/empty`, new Uint8Array(), plain);
  const ref = await store.put(`${folder}list/a`, bytesOf('hello'), plain);
  assert.deepEqual(ref, { key: `${folder}list/a`, sha256: sha256('hello'), bytes: 5 });
  assert.deepEqual(await store.read(ref), bytesOf('hello'));
  assert.deepEqual(await store.find(ref.key), { bytes: bytesOf('hello'), ref });
  assert.deepEqual(await store.read(empty), new Uint8Array());
  assert.deepEqual(await store.list(`${folder}list/`), [`${folder}list/a`, `${folder}list/b/empty`]);
  assert.deepEqual(await store.folders(`${folder}list/`), [`${folder}list/b/`]);
  assert.equal(await store.find(`${folder}nothing`), null);
  assert.deepEqual(await store.list(`${folder}nothing/`), []);
});

test('an object larger than a multipart part is put in one conditional request', async () => {
  const bytes = randomBytes(70 * 1024 * 1024);
  const ref = await store.put(`${folder}large`, bytes, plain);
  assert.equal(sha256(await store.read(ref)), ref.sha256);
  assert.deepEqual(await store.put(`${folder}large`, bytes, plain), ref);
});

test('putting the same bytes again gives the same Ref, other bytes go beside them and change nothing', async () => {
  const key = `${folder}again/adapter.safetensors`;
  const ref = await store.put(key, bytesOf('one'), plain);
  assert.deepEqual(await store.put(key, bytesOf('one'), plain), ref);
  const other = await store.put(key, bytesOf('two'), plain);
  assert.equal(other.key, `${folder}again/adapter-${sha256('two').slice(0, 16)}.safetensors`);
  assert.deepEqual(await store.put(key, bytesOf('two'), plain), other);
  assert.deepEqual(await store.read(other), bytesOf('two'));
  assert.deepEqual(await store.read(ref), bytesOf('one'));
});

test('of 20 simultaneous conditional puts exactly one wins, and all get its bytes', async () => {
  const key = `${folder}race`;
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, i) => store.putOnce(key, bytesOf(`writer ${i}`), plain)),
  );
  assert.equal(results.filter(({ won }) => won).length, 1);
  const winner = await store.find(key);
  for (const { bytes, ref } of results) {
    assert.deepEqual(bytes, winner?.bytes);
    assert.deepEqual(ref, winner?.ref);
  }
});

test('overwrite replaces', async () => {
  const key = `${folder}report`;
  await store.overwrite(key, bytesOf('old'), plain);
  const ref = await store.overwrite(key, bytesOf('new'), plain);
  assert.deepEqual(await store.read(ref), bytesOf('new'));
});

test('a changed object is corrupt, and the message says what was expected and found', async () => {
  const key = `${folder}changed`;
  const ref = await store.put(key, bytesOf('truth'), plain);
  await store.overwrite(key, bytesOf('lies!'), plain);
  await assert.rejects(store.read(ref), (error: Error) => {
    assert.equal(error.name, 'ArtifactCorrupt');
    for (const part of [key, sha256('truth'), sha256('lies!')]) assert.ok(error.message.includes(part), part);
    return true;
  });
});

test('find, which has no Ref, verifies against the hash stored with the object', async () => {
  const key = `${folder}foreign`;
  const headers = { 'x-amz-meta-sha256': sha256('truth') };
  await new Client(connection).putObject(connection.bucket, key, Buffer.from('lies!'), 5, headers);
  await assert.rejects(store.find(key), { name: 'ArtifactCorrupt' });
});

test('a missing object is named', async () => {
  const ref = { key: `${folder}gone`, sha256: sha256(''), bytes: 0 };
  await assert.rejects(store.read(ref), { name: 'ArtifactMissing', message: /gone is not in bucket/ });
});

test('wrong credentials are denied, at once and by name', async () => {
  for (const wrong of [{ secretKey: 'not-the-secret' }, { accessKey: 'nobody' }]) {
    const denied = connectStore({ ...connection, ...wrong });
    await assert.rejects(denied.check(), { name: 'StoreDenied' });
    await assert.rejects(denied.put(`${folder}x`, bytesOf('x'), plain), { name: 'StoreDenied' });
    await assert.rejects(denied.find(`${folder}x`), { name: 'StoreDenied' });
    await assert.rejects(denied.list(folder), { name: 'StoreDenied' });
  }
});

test('a missing bucket and an unreachable store say what to do', async () => {
  await assert.rejects(connectStore({ ...connection, bucket: 'no-such-bucket' }).check(), {
    name: 'StoreUnavailable',
    message: /no bucket 'no-such-bucket'.*reiterate up/s,
  });
  await assert.rejects(connectStore({ ...connection, bucket: 'no-such-bucket' }).find('x'), {
    name: 'StoreUnavailable',
  });
  const port = await closedPort();
  await assert.rejects(connectStore({ ...connection, endPoint: '127.0.0.1', port }).check(), {
    name: 'StoreUnavailable',
    message: new RegExp(`http://127.0.0.1:${port} does not answer .*ECONNREFUSED.*reiterate up`, 's'),
  });
});

test('requests are repeated when the connection breaks, the server is overloaded, or a reply is lost', async () => {
  const proxy = await flakyProxy(['reset', 'overloaded', 'loseReply', 'pass']);
  const through = connectStore({ ...connection, endPoint: '127.0.0.1', port: proxy.port });
  try {
    const ref = await through.put(`${folder}flaky`, bytesOf('written once'), plain);
    assert.deepEqual(await store.read(ref), bytesOf('written once'));
    assert.ok(proxy.connections() >= 4);
  } finally {
    proxy.close();
  }
});

test('a server that accepts and says nothing ends in StoreUnavailable', { timeout: 120_000 }, async () => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const port = (silent.address() as AddressInfo).port;
  try {
    await assert.rejects(connectStore({ ...connection, endPoint: '127.0.0.1', port }).check(), {
      name: 'StoreUnavailable',
      message: /silent/,
    });
  } finally {
    for (const socket of sockets) socket.destroy();
    silent.close();
  }
});

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A proxy in front of the real store that treats connection after connection as told, then passes all. */
async function flakyProxy(behaviours: ('reset' | 'overloaded' | 'loseReply' | 'pass')[]) {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const behaviour = behaviours[connections++] ?? 'pass';
    sockets.add(socket.on('error', () => socket.destroy()));
    if (behaviour === 'reset') return void socket.destroy();
    if (behaviour === 'overloaded')
      return void socket.once('data', () =>
        socket.end('HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'),
      );
    const upstream = connect(connection.port, connection.endPoint);
    sockets.add(upstream.on('error', () => socket.destroy()).on('close', () => socket.destroy()));
    socket.pipe(upstream);
    if (behaviour === 'loseReply') upstream.once('data', () => socket.destroy());
    else upstream.pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
