import type { DeviceKind } from '../../../workflows/contract/config.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { Blob, Call, Device } from '../policy.ts';
import { demandCpus } from './cpus.ts';
import { EngineProcess, type EngineProcessOptions } from './process.ts';
import type { Operation, OperationCall, Operations } from './protocol.ts';

export interface DeviceOptions {
  /** A GGUF file or a Hugging Face folder. */
  modelPath: string;
  /** What it computes on; `cpu` when left out. */
  device?: DeviceKind;
  /** The CPUs that all its threads stay on, such as `0-3,8`; Linux only. Any of this process when left out. */
  cpus?: string | undefined;
  /** Threads of one operation in ONNX Runtime; part of what decides the bits. */
  threads: number;
  /** Longest time a call may go without progress (five times as long while loading); 120 s when left out. */
  silenceTimeoutMs?: number;
  /** Gets what the engine process prints, line by line. */
  log?: (line: string) => void;
}

/**
 * A policy engine in a child process of its own. The process starts with the first call and again after a crash;
 * calls wait for one another. Besides the failures of each operation, a call rejects with `ModelUnavailable`,
 * `DeviceUnavailable`, `EngineCrashed` (another try starts a new process), `EngineOutOfMemory` or `EngineSilent` (the
 * same, after it was killed). Throws `DeviceUnavailable` for CPUs that this process cannot give it.
 */
export async function openDevice(options: DeviceOptions): Promise<Device> {
  if (options.cpus !== undefined) demandCpus(options.cpus);
  const settings: EngineProcessOptions = {
    modelPath: options.modelPath,
    device: options.device ?? 'cpu',
    cpus: options.cpus ?? null,
    threads: options.threads,
    silenceTimeoutMs: options.silenceTimeoutMs ?? 120_000,
    log: options.log ?? (() => undefined),
  };
  let engine: EngineProcess | null = null;
  let lastTurn: Promise<unknown> = Promise.resolve();
  let closed = false;

  function perform<Name extends Operation>(
    operation: Name,
    input: Operations[Name]['input'],
    blobs: readonly (Blob | null)[] = [],
    call: Call = {},
  ): Promise<Operations[Name]['output']> {
    const before = lastTurn;
    const turn = (async () => {
      await waitFor(before, call.signal);
      call.signal?.throwIfAborted();
      if (closed) throw closedFailure();
      if (!engine?.alive) engine = new EngineProcess(settings);
      const named = blobs.filter((blob) => blob !== null);
      // TypeScript cannot see that `operation` and `input` are of one pair.
      return (await engine.perform({ operation, input } as OperationCall, named, call)) as never;
    })();
    // Without their results: each would hold that of the one before, and so those of all calls there ever were.
    lastTurn = Promise.allSettled([before, turn]).then(() => undefined);
    return turn;
  }

  return {
    model: () => perform('model', null),
    initialPolicy: (lora, seed) => perform('initialPolicy', { lora, seed }),
    generate: (policy, prompts, sampling, call) =>
      perform(
        'generate',
        {
          policy: policy?.sha256 ?? null,
          prompts,
          options: { ...sampling, stopStrings: [...sampling.stopStrings] },
        },
        [policy],
        call,
      ),
    update: ({ policy, optimizer, reference, ...rest }, call) =>
      perform(
        'update',
        {
          ...rest,
          policy: policy.sha256,
          optimizer: optimizer?.sha256 ?? null,
          reference: reference?.sha256 ?? null,
        },
        [policy, optimizer, reference],
        call,
      ),
    logProbs: (policy, sequences, call) =>
      perform('logProbs', { policy: policy?.sha256 ?? null, sequences }, [policy], call),
    embedder: (files) => perform('embedder', files),
    embed: (embedder, groups, call) => perform('embed', { embedder, groups }, [], call),
    blend: (reference, policy, alpha) =>
      perform('blend', { reference: reference.sha256, policy: policy.sha256, alpha }, [reference, policy]),
    processId: () => (engine?.alive ? engine.pid : null),
    close: async () => {
      closed = true;
      await engine?.kill(closedFailure());
    },
  };
}

function closedFailure(): TypedFailure {
  return new TypedFailure('WorkerStopping', 'the engine was closed while a call was waiting or at work');
}

/** Waits for `turn`, or rejects with the signal's reason when that comes first. */
async function waitFor(turn: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return void (await turn);
  signal.throwIfAborted();
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
  });
  try {
    await Promise.race([turn, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
