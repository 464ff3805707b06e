import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import module, { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { DeviceKind } from '../../../workflows/contract/config.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { ifSilentFor } from '../../silence.ts';
import type { Blob, Call, Progress } from '../policy.ts';
import { fromFiles } from './byteFiles.ts';
import { outOfMemory, saysOutOfMemory } from './outOfMemory.ts';
import { loadingPhase, type FromChild, type OperationCall, type ToChild } from './protocol.ts';

export interface EngineProcessOptions {
  modelPath: string;
  device: DeviceKind;
  threads: number;
  /** The CPUs it may use, as `taskset` writes them (`0-3,8`); null: those of this process. */
  cpus: string | null;
  /** Longest time without progress in a call, before the child is killed. */
  silenceTimeoutMs: number;
  /** Gets the child's output, line by line. */
  log: (line: string) => void;
}

/** Loading a model reads gigabytes and reports little: it may be silent for so many silence timeouts. */
const loadingPatience = 5;
const linesKept = 12;
/**
 * Asks glibc for huge pages: weights are read from end to end, and looking up 4 KiB pages costs time. Arrays smaller than
 * such a page stand side by side in the heap, lest each waste a part of one; larger ones are given back to the system
 * when they are freed, where they would leave holes in the heap.
 */
const hugePages = 'glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=2097152';
const nativeFrame = /^\s*\d+: 0x[0-9a-f]+ /;

/** The call the child is at work on. */
interface Pending {
  blobs: ReadonlyMap<string, Blob>;
  onProgress: ((progress: Progress) => void) | undefined;
  latest: Progress;
  /** Why the parent sent `abort`: the signal's reason, or what a blob's `load` threw. */
  abortReason: unknown;
  /** Holds the silence watchdog off. */
  unwatch: () => void;
  resolve: (output: unknown) => void;
  reject: (reason: unknown) => void;
}

/** One life of the engine child, from fork to exit. It does one call at a time. */
export class EngineProcess {
  readonly pid: number;
  /** Resolves when the process has ended and its output is read. */
  readonly ended: Promise<void>;
  alive = true;

  readonly #options: EngineProcessOptions;
  readonly #child: ChildProcess;
  readonly #lastLines: string[] = [];
  #pending: Pending | null = null;
  #killedFor: TypedFailure | null = null;
  /** Its last result has been read. */
  #delivered = Promise.resolve();
  /** Where the child leaves large results. */
  readonly #folder = mkdtempSync(join(tmpdir(), 'reiterate-engine-'));

  constructor(options: EngineProcessOptions) {
    this.#options = options;
    // The child runs TypeScript whatever loader the parent was started with. Node before 20.6 has no
    // module.register; there tsx is a --loader.
    const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
    const loader = 'register' in module ? '--import' : '--loader';
    const node = ['--expose-gc', loader, tsx];
    this.#child = fork(
      fileURLToPath(new URL('./child.ts', import.meta.url)),
      [options.modelPath, options.device, String(options.threads), this.#folder],
      {
        env: { GLIBC_TUNABLES: hugePages, ...process.env },
        // Under taskset every thread starts pinned: the main one, which computes, too, and those of ONNX Runtime.
        ...(options.cpus === null
          ? { execArgv: node }
          : { execPath: 'taskset', execArgv: ['--cpu-list', options.cpus, process.execPath, ...node] }),
        serialization: 'advanced',
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      },
    );
    this.pid = this.#child.pid ?? -1;
    for (const output of [this.#child.stdout, this.#child.stderr])
      if (output) createInterface({ input: output }).on('line', (line) => this.#read(line));
    this.#child.on('message', (message) => this.#receive(message as FromChild));
    this.ended = new Promise((resolve) => {
      const end = (cause: string) => {
        this.alive = false;
        this.#settle()?.reject(this.#killedFor ?? this.#crash(cause));
        void this.#delivered
          .then(() => rm(this.#folder, { recursive: true, force: true }))
          .catch((error: Error) => this.#options.log(`${this.#folder} is left: ${error.message}`))
          .then(resolve);
      };
      this.#child.on('error', (error) => {
        if (this.#child.pid === undefined) end(`could not be started: ${error.message}`);
      });
      this.#child.on('close', (code, signal) => {
        const how = signal ? `was killed by ${signal}` : `ended with exit code ${code}`;
        end(signal === 'SIGKILL' ? `${how} (possibly out of memory)` : how);
      });
    });
  }

  /**
   * Does one call. Rejects with the signal's reason after the mini-step in which it was aborted, with the
   * engine's own typed failure, or with `EngineCrashed`, `EngineOutOfMemory` or `EngineSilent` when the process is lost.
   */
  perform(call: OperationCall, blobs: readonly Blob[], { signal, onProgress }: Call): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const abort = () => this.#abort(signal?.reason);
      const settled = () => signal?.removeEventListener('abort', abort);
      this.#pending = {
        blobs: new Map(blobs.map((blob) => [blob.sha256, blob])),
        onProgress,
        latest: { phase: loadingPhase, done: 0, total: 1, tokens: 0 },
        abortReason: undefined,
        unwatch: () => undefined,
        resolve: (output) => (settled(), resolve(output)),
        reject: (reason) => (settled(), reject(reason)),
      };
      signal?.addEventListener('abort', abort);
      this.#watch();
      this.#send({ kind: 'call', call });
    });
  }

  /** Ends the process at once and rejects its call with `reason`: it holds nothing that is not elsewhere too. */
  async kill(reason: TypedFailure): Promise<void> {
    this.#killedFor = reason;
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  #receive(message: FromChild): void {
    const pending = this.#pending;
    if (!pending) return;
    switch (message.kind) {
      case 'progress':
        pending.latest = message.progress;
        this.#watch();
        pending.onProgress?.(message.progress);
        return;
      case 'wants':
        void this.#supply(pending, message.sha256);
        return;
      case 'result':
        this.#delivered = this.#deliver(message.output);
        return;
      case 'aborted':
        this.#settle()?.reject(pending.abortReason);
        return;
      case 'failed':
        this.#fail(
          message.type ? new TypedFailure(message.type, message.message) : new Error(message.message),
        );
        return;
    }
  }

  async #deliver(output: unknown): Promise<void> {
    const pending = this.#settle();
    try {
      pending?.resolve(await fromFiles(output));
    } catch (error) {
      pending?.reject(error);
    }
  }

  #fail(error: Error): void {
    // A process that could not get memory holds what it got until it ends.
    if (error instanceof TypedFailure && error.type === 'EngineOutOfMemory') void this.kill(error);
    else this.#settle()?.reject(error);
  }

  /** Fetches bytes for the child; the store's time is not the engine's silence. */
  async #supply(pending: Pending, sha256: string): Promise<void> {
    pending.unwatch();
    try {
      const blob = pending.blobs.get(sha256);
      if (!blob) throw new Error(`the engine asked for ${sha256}, which the call did not name`);
      const bytes = await blob.load();
      if (pending !== this.#pending) return;
      this.#watch();
      this.#send({ kind: 'blob', sha256, bytes });
    } catch (error) {
      if (pending !== this.#pending) return;
      this.#watch();
      this.#abort(error);
    }
  }

  #abort(reason: unknown): void {
    if (!this.#pending) return;
    this.#pending.abortReason ??= reason;
    this.#send({ kind: 'abort' });
  }

  #settle(): Pending | null {
    const pending = this.#pending;
    pending?.unwatch();
    this.#pending = null;
    return pending;
  }

  /** (Re)starts the silence watchdog of the current call. */
  #watch(): void {
    const pending = this.#pending;
    if (!pending) return;
    pending.unwatch();
    const { phase } = pending.latest;
    const timeoutMs = this.#options.silenceTimeoutMs * (phase === loadingPhase ? loadingPatience : 1);
    pending.unwatch = ifSilentFor(timeoutMs, () => {
      const { done, total } = pending.latest;
      void this.kill(
        new TypedFailure(
          'EngineSilent',
          `the engine (process ${this.pid}) made no progress for ${timeoutMs / 1000} s in phase '${phase}' ` +
            `at ${done}/${total} and was killed; the next call starts a new one`,
        ),
      );
    });
  }

  #crash(cause: string): TypedFailure {
    const output = this.#lastLines.length > 0 ? `; its last output:\n${this.#lastLines.join('\n')}` : '';
    const message = `the engine (process ${this.pid}) ${cause}${output}`;
    return saysOutOfMemory(output) ? outOfMemory(message) : new TypedFailure('EngineCrashed', message);
  }

  #read(line: string): void {
    this.#options.log(line);
    // V8 prints a page of these after the sentence that says why it gave up.
    if (nativeFrame.test(line)) return;
    this.#lastLines.push(line.slice(0, 300));
    if (this.#lastLines.length > linesKept) this.#lastLines.shift();
  }

  #send(message: ToChild): void {
    // A child that is gone is reported by its 'close' event, not by the message that did not reach it.
    this.#child.send(message, () => undefined);
  }
}
