import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { connection, environmentOf, shellLines, type Connection } from '../../infra/services/connection.ts';

const home = await mkdtemp(join(tmpdir(), 'reiterate-connection-'));
after(() => rm(home, { recursive: true, force: true }));

const given = {
  TEMPORAL_ADDRESS: 'temporal.example:7233',
  TEMPORAL_NAMESPACE: 'team',
  REITERATE_S3_ENDPOINT: 'https://s3.example',
  REITERATE_S3_ACCESS_KEY: 'key',
  REITERATE_S3_SECRET_KEY: "it's/secret+",
  REITERATE_S3_BUCKET: 'ours',
};
const expected: Connection = {
  temporal: { address: 'temporal.example:7233', namespace: 'team', uiUrl: null, options: {} },
  store: {
    endPoint: 's3.example',
    port: 443,
    useSSL: true,
    accessKey: 'key',
    secretKey: "it's/secret+",
    bucket: 'ours',
    consoleUrl: null,
  },
};

beforeEach(() => {
  for (const name of Object.keys(process.env))
    if (/^(TEMPORAL|REITERATE)_/.test(name)) delete process.env[name];
  process.env['REITERATE_HOME'] = home;
  process.env['TEMPORAL_CONFIG_FILE'] = join(home, 'temporal.toml');
});

test('own services come from the environment, and their environment gives them again', async () => {
  Object.assign(process.env, given);
  assert.deepEqual(await connection(), expected);
  const again = environmentOf(expected);
  Object.assign(process.env, again);
  assert.deepEqual(await connection(), expected);
});

test('the configuration file of the Temporal CLI counts, with key and TLS', async () => {
  Object.assign(process.env, given, { TEMPORAL_ADDRESS: '', TEMPORAL_NAMESPACE: '' });
  delete process.env['TEMPORAL_ADDRESS'];
  delete process.env['TEMPORAL_NAMESPACE'];
  const file = process.env['TEMPORAL_CONFIG_FILE']!;
  await writeFile(
    file,
    '[profile.default]\naddress = "cloud.example:7233"\nnamespace = "a.b"\napi_key = "k"\n',
  );
  const { temporal } = await connection();
  assert.deepEqual(temporal, {
    address: 'cloud.example:7233',
    namespace: 'a.b',
    uiUrl: null,
    options: { tls: true, apiKey: 'k' },
  });
  await writeFile(file, 'address = = ');
  await assert.rejects(connection(), { name: 'InfraProblem', message: /configuration of the Temporal CLI/ });
  await rm(file);
});

test('what is missing is named, with what to do', async () => {
  await assert.rejects(connection(), {
    name: 'InfraProblem',
    message: /Temporal is not running: run `reiterate up`/,
  });
  process.env['TEMPORAL_ADDRESS'] = 'temporal.example:7233';
  await assert.rejects(connection(), {
    name: 'InfraProblem',
    message: /MinIO is not running.*REITERATE_S3_ENDPOINT/,
  });
  process.env['REITERATE_S3_ENDPOINT'] = 's3.example';
  await assert.rejects(connection(), { name: 'InfraProblem', message: /"s3\.example"; write it as http:/ });
  process.env['REITERATE_S3_ENDPOINT'] = 'http://s3.example:9000';
  await assert.rejects(connection(), { name: 'InfraProblem', message: /REITERATE_S3_ACCESS_KEY is not/ });
});

test('a shell takes the lines as they are meant', () => {
  const script = [
    ...shellLines(expected),
    'echo "$TEMPORAL_ADDRESS $AWS_SECRET_ACCESS_KEY $MC_HOST_reiterate"',
  ];
  const printed = execFileSync('sh', ['-c', script.join('\n')], { encoding: 'utf8' });
  const url = new URL(printed.trim().split(' ')[2]!);
  assert.equal(decodeURIComponent(url.password), "it's/secret+");
  assert.equal(printed.trim().split(' ').slice(0, 2).join(' '), "temporal.example:7233 it's/secret+");
});
