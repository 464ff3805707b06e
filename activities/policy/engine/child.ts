import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { DeviceKind } from '../../../workflows/contract/config.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { Progress } from '../policy.ts';
import { ByteCache } from './byteCache.ts';
import { toFiles } from './byteFiles.ts';
import { openEngine, type Engine } from './engine.ts';
import { outOfMemory, saysOutOfMemory } from './outOfMemory.ts';
import { Aborted, type FromChild, type OperationCall, type ToChild } from './protocol.ts';

/**
 * The engine process: `child.ts MODEL DEVICE THREADS FOLDER`, forked by `process.ts`, to which it hands large results
 * over in files of FOLDER. It does what messages ask, one call at a time, and ends when its parent does.
 */

const [modelPath, device, threads, folder] = process.argv.slice(2) as [string, DeviceKind, string, string];
/** Room for the policy of a small model that is trained in full; its optimizer state is asked for once an update. */
const blobCacheBytes = 1024 * 1024 * 1024;
const progressIntervalMs = 100;

const blobs = new ByteCache(blobCacheBytes);
/** What a call made and the next call is likely to start from. */
const made: Uint8Array[] = [];
let engine: Engine | null = null;
let aborted = false;
let awaitedBlob: { resolve: (bytes: Uint8Array) => void; reject: (error: Error) => void } | null = null;
let lastProgress = { phase: '', at: 0 };

// Ctrl-C and service managers signal the whole process group: the parent decides when the engine ends.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('disconnect', () => {
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
});
process.on('message', (message: ToChild) => {
  switch (message.kind) {
    case 'call':
      void answer(message.call).then(tidy);
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
    const output = await engine.perform(call, { blob, keep: (bytes) => made.push(bytes), betweenSteps });
    send({ kind: 'result', output: await toFiles(output, folder) });
  } catch (error) {
    send(error instanceof Aborted ? { kind: 'aborted' } : failureOf(error));
  }
}

function failureOf(error: unknown): FromChild {
  if (error instanceof TypedFailure) return { kind: 'failed', type: error.type, message: error.message };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (!saysOutOfMemory(message)) return { kind: 'failed', type: null, message };
  const failure = outOfMemory(message);
  return { kind: 'failed', type: failure.type, message: failure.message };
}

/**
 * While the parent is busy with the result: remembers what was made, and collects garbage. Caches, gradients and outputs
 * lie outside the heap that V8 watches: it would leave gigabytes of them standing while the next call allocates its own.
 */
function tidy(): void {
  for (const bytes of made.splice(0)) blobs.set(hashOf(bytes), bytes);
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

/** The bytes of a policy or optimizer state, from the cache or the parent, verified. */
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
      `a policy or optimizer state promised as ${sha256} is ${found}`,
    );
  blobs.set(sha256, bytes);
  return bytes;
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function send(message: FromChild): void {
  process.send?.(message);
}
