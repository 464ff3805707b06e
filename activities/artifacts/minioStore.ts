import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'minio';
import { TypedFailure } from '../../workflows/contract/failures.ts';
import type { Ref } from '../../workflows/contract/ref.ts';
import { sha256 } from './canonical.ts';
import type { Store } from './store.ts';
import { deadlineTransport } from './transport.ts';

/** Where the objects are and how to get at them. */
export interface StoreConnection {
  endPoint: string;
  port: number;
  useSSL: boolean;
  accessKey: string;
  secretKey: string;
  bucket: string;
}

/** Waits before the second, third, … attempt of a request that failed for a passing reason. */
const retryDelaysMs = [100, 400, 1600];

/** Parts over this size would be sent in pieces, and a conditional put must be one request. S3's own limit. */
const largestPutBytes = 5 * 1024 ** 3;

/** Object metadata: lets `find`, which has no Ref, verify what it read. */
const hashHeader = 'x-amz-meta-sha256';

/**
 * The artifact store on MinIO (or any S3 that knows `If-None-Match: *`). Connects when first used. Every request
 * has a deadline; one that fails for a passing reason is repeated a few times.
 */
export function connectStore(connection: StoreConnection): Store {
  const { bucket, endPoint, port, useSSL, accessKey, secretKey } = connection;
  const client = new Client({
    endPoint,
    port,
    useSSL,
    accessKey,
    secretKey,
    // Saves the request for the bucket's region; MinIO has this one.
    region: 'us-east-1',
    partSize: largestPutBytes,
    transport: deadlineTransport(useSSL),
    retryOptions: { disableRetry: true },
  });

  return { put, putOnce, overwrite, read, find, list, folders, check };

  async function put(key: string, bytes: Uint8Array, contentType: string): Promise<Ref> {
    const { ref } = await putOnce(key, bytes, contentType);
    const ours = sha256(bytes);
    if (ref.sha256 === ours) return ref;
    // Named by its content, so whatever is there already is the same.
    return overwrite(key.replace(/(\.\w+)?$/, `-${ours.slice(0, 16)}$1`), bytes, contentType);
  }

  async function putOnce(key: string, bytes: Uint8Array, contentType: string) {
    const ref = refOf(key, bytes);
    try {
      await upload(ref, bytes, { 'Content-Type': contentType, 'If-None-Match': '*' });
      return { won: true, bytes, ref };
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
    }
    const winner = await find(key);
    // Deleted between the two requests: nothing of ours deletes, so somebody else cleans up.
    if (!winner) throw new TypedFailure('ArtifactMissing', `${key} was deleted while it was being written`);
    return { won: false, ...winner };
  }

  async function overwrite(key: string, bytes: Uint8Array, contentType: string): Promise<Ref> {
    const ref = refOf(key, bytes);
    await upload(ref, bytes, { 'Content-Type': contentType });
    return ref;
  }

  async function upload(ref: Ref, bytes: Uint8Array, headers: Record<string, string>): Promise<void> {
    const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    await request(ref.key, () =>
      client.putObject(bucket, ref.key, body, body.length, { ...headers, [hashHeader]: ref.sha256 }),
    );
  }

  async function read(ref: Ref): Promise<Uint8Array> {
    const found = await download(ref.key);
    if (!found)
      throw new TypedFailure(
        'ArtifactMissing',
        `${ref.key} is not in bucket '${bucket}' of ${addressOf(connection)}.`,
      );
    verify(ref.key, found.bytes, ref);
    return found.bytes;
  }

  async function find(key: string): Promise<{ bytes: Uint8Array; ref: Ref } | null> {
    const found = await download(key);
    if (!found) return null;
    const ref = refOf(key, found.bytes);
    if (found.sha256) verify(key, found.bytes, { sha256: found.sha256, bytes: found.length });
    return { bytes: found.bytes, ref };
  }

  async function download(key: string) {
    try {
      return await request(key, async () => {
        const response = (await client.getObject(bucket, key)) as IncomingMessage;
        const chunks: Uint8Array[] = [];
        for await (const chunk of response) chunks.push(chunk as Uint8Array);
        const { buffer, byteOffset, byteLength } = Buffer.concat(chunks);
        return {
          // A view: another copy of a policy of half a gigabyte would be felt.
          bytes: new Uint8Array(buffer, byteOffset, byteLength),
          length: Number(response.headers['content-length']),
          sha256: response.headers[hashHeader] as string | undefined,
        };
      });
    } catch (error) {
      if (error instanceof Absent) return null;
      throw error;
    }
  }

  async function list(prefix: string): Promise<string[]> {
    return (await entries(prefix, true)).flatMap(({ name }) => name ?? []).sort();
  }

  async function folders(prefix: string): Promise<string[]> {
    return (await entries(prefix, false)).flatMap((entry) => entry.prefix ?? []).sort();
  }

  function entries(prefix: string, recursive: boolean): Promise<{ name?: string; prefix?: string }[]> {
    return request(prefix, async () => {
      const found: { name?: string; prefix?: string }[] = [];
      for await (const entry of client.listObjectsV2(bucket, prefix, recursive))
        found.push(entry as { name?: string; prefix?: string });
      return found;
    });
  }

  async function check(): Promise<void> {
    if (await request(bucket, () => client.bucketExists(bucket))) return;
    throw bucketMissing();
  }

  /** One request with retries; what goes wrong becomes a typed failure. */
  async function request<T>(what: string, send: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await send();
      } catch (error) {
        const kind = kindOf(error);
        const delayMs = retryDelaysMs[attempt];
        if (kind === 'passing' && delayMs !== undefined) {
          await sleep(delayMs);
          continue;
        }
        switch (kind) {
          case 'passing':
          case 'silent':
            throw new TypedFailure(
              'StoreUnavailable',
              `The artifact store at ${addressOf(connection)} does not answer (${messageOf(error)}). Start it with \`reiterate up\`, or correct its address.`,
              { cause: error },
            );
          case 'denied':
            throw new TypedFailure(
              'StoreDenied',
              `The artifact store at ${addressOf(connection)} refuses access key '${accessKey}' for ${what} (${messageOf(error)}). Correct the credentials or what they may do.`,
              { cause: error },
            );
          case 'bucketMissing':
            throw bucketMissing();
          case 'absent':
            throw new Absent();
          case 'exists':
            throw new Lost();
          case 'unknown':
            throw error;
        }
      }
    }
  }

  function bucketMissing(): TypedFailure {
    return new TypedFailure(
      'StoreUnavailable',
      `The artifact store at ${addressOf(connection)} has no bucket '${bucket}'. \`reiterate up\` makes it.`,
    );
  }
}

/** There is no object of that key. */
class Absent extends Error {}

/** A conditional put came second. */
class Lost extends Error {}

const kinds: Record<string, 'passing' | 'silent' | 'denied' | 'bucketMissing' | 'absent' | 'exists'> = {
  NoSuchKey: 'absent',
  NotFound: 'absent',
  NoSuchBucket: 'bucketMissing',
  PreconditionFailed: 'exists',
  AccessDenied: 'denied',
  InvalidAccessKeyId: 'denied',
  SignatureDoesNotMatch: 'denied',
  RequestTimeTooSkewed: 'denied',
  InvalidTokenId: 'denied',
  // S3's answer to two conditional puts at once: the next attempt learns who won.
  ConditionalRequestConflict: 'passing',
  SlowDown: 'passing',
  InternalError: 'passing',
  ServiceUnavailable: 'passing',
  RequestTimeout: 'passing',
  XMinioServerNotInitialized: 'passing',
  ECONNREFUSED: 'passing',
  ECONNRESET: 'passing',
  EPIPE: 'passing',
  EHOSTUNREACH: 'passing',
  ENETUNREACH: 'passing',
  ENOTFOUND: 'passing',
  EAI_AGAIN: 'passing',
  // Has had its wait already; the step's own retries go on.
  ETIMEDOUT: 'silent',
  ABORT_ERR: 'silent',
};

function kindOf(error: unknown) {
  const { code, message } = error as { code?: unknown; message?: string };
  // minio-js gives server errors (5xx, 429) only as a text.
  if (message?.includes('Retryable HTTP status')) return 'passing';
  return (typeof code === 'string' ? kinds[code] : undefined) ?? 'unknown';
}

function messageOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return [code, message].filter((part, index, parts) => part && !parts[index - 1]?.includes(part)).join(': ');
}

function verify(key: string, bytes: Uint8Array, expected: { sha256: string; bytes: number }): void {
  const found = sha256(bytes);
  if (found === expected.sha256 && bytes.length === expected.bytes) return;
  throw new TypedFailure(
    'ArtifactCorrupt',
    `${key}: expected sha256 ${expected.sha256} and ${expected.bytes} bytes, found ${found} and ${bytes.length} bytes. Restore the object from a copy; without one, start what needs it under another name.`,
  );
}

function refOf(key: string, bytes: Uint8Array): Ref {
  return { key, sha256: sha256(bytes), bytes: bytes.length };
}

function addressOf({ endPoint, port, useSSL }: StoreConnection): string {
  return `${useSSL ? 'https' : 'http'}://${endPoint}:${port}`;
}
