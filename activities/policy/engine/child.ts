import { createHash } from 'node:crypto';
import type { DeviceKind } from '../../../workflows/contract/config.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { Progress } from '../policy.ts';
import { ByteCache } from './byteCache.ts';
import { openEngine, type Engine } from './engine.ts';
import { Aborted, type FromChild, type OperationCall, type ToChild } from './protocol.ts';

/**
 * The engine process: `child.ts MODEL DEVICE THREADS`, forked by `process.ts`. It does what messages ask, one call at a
 * time, and ends when its parent does.
 */

const [modelPath, device, threads] = process.argv.slice(2) as [string, DeviceKind, string];
const blobCacheBytes = 512 * 1024 * 1024;
const progressIntervalMs = 100;

const blobs = new ByteCache(blobCacheBytes);
let engine: Engine | null = null;
let aborted = false;
let awaitedBlob: { resolve: (bytes: Uint8Array) => void; reject: (error: Error) => void } | null = null;
let lastProgress = { phase: '', at: 0 };

// Ctrl-C and service managers signal the whole process group: the parent decides when the engine ends.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('disconnect', () => process.exit(0));
process.on('message', (message: ToChild) => {
  switch (message.kind) {
    case 'call':
      void answer(message.call).then(collectGarbage);
      return;
    case 'abort':
      aborted = true;
      awaitedBlob?.reject(new Aborted());
      return;
    case 'blob':
      awaitedBlob?.resolve(message.bytes);
      return;
  }
});

async function answer(call: OperationCall): Promise<void> {
  aborted = false;
  try {
    engine ??= await openEngine(modelPath, device, Number(threads), betweenSteps);
    send({ kind: 'result', output: await engine.perform(call, { blob, keep, betweenSteps }) });
  } catch (error) {
    if (error instanceof Aborted) send({ kind: 'aborted' });
    else if (error instanceof TypedFailure)
      send({ kind: 'failed', type: error.type, message: error.message });
    else
      send({
        kind: 'failed',
        type: null,
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
  }
}

/**
 * Caches, gradients and outputs lie outside the heap that V8 watches: without this it would leave gigabytes of them
 * standing while the next call allocates its own.
 */
function collectGarbage(): void {
  globalThis.gc?.();
}

async function betweenSteps(progress: Progress): Promise<void> {
  const now = performance.now();
  if (progress.phase !== lastProgress.phase || now - lastProgress.at >= progressIntervalMs) {
    lastProgress = { phase: progress.phase, at: now };
    send({ kind: 'progress', progress });
  }
  await new Promise(setImmediate); // lets an abort in
  if (aborted) throw new Aborted();
}

/** The bytes of an adapter or optimizer state, from the cache or the parent, verified. */
async function blob(sha256: string): Promise<Uint8Array> {
  const held = blobs.get(sha256);
  if (held) return held;
  const bytes = await new Promise<Uint8Array>((resolve, reject) => {
    awaitedBlob = { resolve, reject };
    send({ kind: 'wants', sha256 });
  });
  awaitedBlob = null;
  const found = hashOf(bytes);
  if (found !== sha256)
    throw new TypedFailure(
      'ArtifactCorrupt',
      `an adapter or optimizer state promised as ${sha256} is ${found}`,
    );
  blobs.set(sha256, bytes);
  return bytes;
}

/** Remembers what a call made, because the next call is likely to start from it. */
function keep(bytes: Uint8Array): void {
  blobs.set(hashOf(bytes), bytes);
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function send(message: FromChild): void {
  process.send?.(message);
}
