import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, S3Error } from 'minio';
import { deadlineTransport } from '../../activities/artifacts/transport.ts';
import { InfraProblem } from '../problem.ts';
import { ensureMinio } from '../setup/minio.ts';
import { loopback } from './ports.ts';
import type { Ports, Service } from './service.ts';
import type { Credentials } from './state.ts';

export const bucket = 'reiterate';

/** Longest wait for one answer. */
const answerMs = 10_000;

export const minioService: Service = {
  name: 'minio',
  title: 'MinIO',
  usualPorts: { api: 9000, web: 9001 },
  stopGraceMs: 15_000,
  ensure: ensureMinio,

  async command(file, folder, ports, credentials) {
    const data = join(folder, 'minio');
    const certificates = join(folder, 'no-certificates');
    await mkdir(data, { recursive: true });
    await mkdir(certificates, { recursive: true });
    const addresses = [
      '--address',
      `${loopback}:${ports.api}`,
      '--console-address',
      `${loopback}:${ports.web}`,
    ];
    return {
      file,
      // With certificates in the user's own ~/.minio it would speak TLS.
      args: ['server', data, ...addresses, '--certs-dir', certificates],
      env: {
        MINIO_ROOT_USER: credentials.accessKey,
        MINIO_ROOT_PASSWORD: credentials.secretKey,
        MINIO_UPDATE: 'off',
      },
    };
  },

  async prepare(ports, credentials) {
    const client = await checked(ports, credentials);
    if (!(await hasBucket(client))) await client.makeBucket(bucket);
  },

  async check(ports, credentials) {
    if (!(await hasBucket(await checked(ports, credentials))))
      throw new Error(`it has no bucket "${bucket}"`);
  },
};

/** A client of a server that says it is alive. */
async function checked(ports: Ports, { accessKey, secretKey }: Credentials): Promise<Client> {
  const address = `http://${loopback}:${ports.api}`;
  const answer = await fetch(`${address}/minio/health/live`, { signal: AbortSignal.timeout(answerMs) });
  if (!answer.ok) throw new Error(`${address} answered ${answer.status}`);
  return new Client({
    endPoint: loopback,
    port: ports.api,
    useSSL: false,
    accessKey,
    secretKey,
    region: 'us-east-1',
    transport: deadlineTransport(false),
  });
}

async function hasBucket(client: Client): Promise<boolean> {
  try {
    return await client.bucketExists(bucket);
  } catch (error) {
    if (error instanceof S3Error && refusals.has(error.code ?? ''))
      throw new InfraProblem(
        'MinIO refuses the credentials in its credentials.json: it was started with others. ' +
          'Run `reiterate down`, then `reiterate up`; the data stay.',
      );
    throw error;
  }
}

const refusals = new Set(['AccessDenied', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'Forbidden', '403']);
