import type { FailureType } from '../../../workflows/contract/failures.ts';
import type {
  Completion,
  EmbedderFiles,
  ModelInfo,
  Progress,
  SampleOptions,
  SamplePrompt,
} from '../policy.ts';
import type { UpdateRequest, UpdateResult } from '../policy.ts';
import type { Group } from '../model/layout.ts';
import type { LoraShape } from '../weights/adapter.ts';

/**
 * What the engine child can be asked, by name. Policies and optimizer states appear as their sha256; the child
 * asks for the bytes it does not hold (`wants`).
 */
export interface Operations {
  model: { input: null; output: ModelInfo };
  initialPolicy: { input: { lora: LoraShape | null; seed: string }; output: Uint8Array };
  generate: {
    input: { policy: string | null; prompts: SamplePrompt[]; options: SampleOptions };
    output: Completion[][];
  };
  update: {
    input: Omit<UpdateRequest, 'policy' | 'optimizer' | 'reference'> & {
      policy: string;
      optimizer: string | null;
      reference: string | null;
    };
    output: UpdateResult;
  };
  logProbs: { input: { policy: string | null; sequences: number[][] }; output: (number | null)[][] };
  /** sha256 of its files; null when it has none. */
  embedder: { input: EmbedderFiles; output: string | null };
  embed: { input: { embedder: EmbedderFiles; groups: Group[] }; output: Float32Array[][] };
  blend: { input: { reference: string; policy: string; alpha: number }; output: Uint8Array };
}
export type Operation = keyof Operations;

/** A call as it travels: the operation's name with the input that belongs to it. */
export type OperationCall = {
  [Name in Operation]: { operation: Name; input: Operations[Name]['input'] };
}[Operation];

/** Parent → child. One call at a time, so messages need no call ids. */
export type ToChild =
  | { kind: 'call'; call: OperationCall }
  /** End the call after its current mini-step. */
  | { kind: 'abort' }
  /** The answer to `wants`. */
  | { kind: 'blob'; sha256: string; bytes: Uint8Array };

/** Child → parent. A call ends with exactly one of `result`, `aborted`, `failed`. */
export type FromChild =
  | { kind: 'progress'; progress: Progress }
  | { kind: 'wants'; sha256: string }
  /** `output`: that of the operation, after `toFiles`. */
  | { kind: 'result'; output: unknown }
  | { kind: 'aborted' }
  /** `type` is null for an error outside the closed list: a bug, or ONNX Runtime refusing something. */
  | { kind: 'failed'; type: FailureType | null; message: string };

/** While a model is opened and sessions are made; the watchdog is more patient then. */
export const loadingPhase = 'load';

/**
 * Between two mini-steps (a decode step, a micro-batch): reports progress, lets messages in, and throws `Aborted`
 * when the caller has given up.
 */
export type BetweenSteps = (progress: Progress) => Promise<void>;

/** Thrown inside the child to unwind a call that its caller aborted. */
export class Aborted extends Error {}
