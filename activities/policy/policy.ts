import type { EmbedderName, SamplingConfig, TrainingConfig } from '../../workflows/contract/config.ts';
import type { Message } from '../curriculum/types.ts';

/** Why a completion ended, one sentence each. */
export type FinishReason =
  | 'stop' // the model produced an end-of-turn token
  | 'stopString' // the text reached one of the stop strings
  | 'length'; // maxNewTokens were produced: the answer is truncated

/** Progress of an engine call, fit for heartbeats and terminals. */
export interface Progress {
  phase: string;
  done: number;
  total: number;
  /** Tokens processed so far in this call. */
  tokens: number;
}

/** How a caller follows and stops a call. Aborting rejects with the signal's reason after the current mini-step. */
export interface Call {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** A policy (or optimizer state) by content: `load` is asked only when the engine does not hold `sha256` yet. */
export interface Blob {
  sha256: string;
  load: () => Promise<Uint8Array>;
}

/** One prompt and the random keys (16 hexadecimal digits) of its rollouts; the number of keys is G. */
export interface SamplePrompt {
  tokenIds: number[];
  keys: string[];
}

/** In what numbers tokens are sampled: as the policy is trained, or with products of the base model in 8 bits. */
export type Precision = SamplingConfig['precision'];

export interface SampleOptions {
  maxNewTokens: number;
  /** Logits are divided by it; 0 is greedy. */
  temperature: number;
  /** Only the k likeliest tokens; null: all. */
  topK: number | null;
  /** Then only the likeliest ones that together have this share of what top-k left; null: all. */
  topP: number | null;
  /** Completion ends after any of these texts; the model's own end tokens always end it. */
  stopStrings: readonly string[];
  /** float32 when left out. Prompts are read in float32 either way. */
  precision?: Precision;
}

export interface Completion {
  /** What was sampled, the end token included. */
  tokenIds: number[];
  /** Log-prob of each token under the distribution it was sampled from. */
  logProbs: number[];
  /** The same before top-k and top-p cut it: softmax(logits / temperature); at temperature 0, softmax(logits). */
  policyLogProbs: number[];
  finishReason: FinishReason;
}

/** One group to train on: the prompt once, its completions, each with its advantage. */
export interface TrainGroup {
  promptIds: number[];
  /** Answers of earlier turns in the prompt, each with what stands before it, trained too; absent: they are not. */
  replayed?: { promptIds: number[]; tokenIds: number[] }[];
  completions: {
    tokenIds: number[];
    /** μ, from sampling: what importance weights compare with. */
    logProbs: number[];
    /** From sampling, before top-k and top-p: what the learner must find, too, but for the sampler's rounding. */
    policyLogProbs: number[];
    advantage: number;
    /** False: counted, but gives no gradient (overlong answers). */
    trained: boolean;
    /** The turns its rollout played after it, trained with the same advantage; absent when there are none. */
    laterTurns?: LaterTurn[];
  }[];
}

/** The answer of a later turn of an episode, to a prompt of its own. */
export interface LaterTurn {
  promptIds: number[];
  tokenIds: number[];
  logProbs: number[];
  policyLogProbs: number[];
}

export interface UpdateRequest {
  /** Its adapter, or all its weights: safetensors bytes (see `encodeParameters`). */
  policy: Blob;
  /** AdamW moments and step count, safetensors bytes; null before the first update. */
  optimizer: Blob | null;
  /** Needed when klCoefficient > 0. */
  reference: Blob | null;
  /** The groups with signal; at least one completion is trained. */
  groups: TrainGroup[];
  training: TrainingConfig;
  /** That of sampling: the policy that is trained is softmax(logits / temperature). */
  temperature: number;
  /** Most tokens an answer could have: the divisor of `lossNormalisation: 'constant'`. */
  maxNewTokens: number;
}

/** What an update did. All finite, or the update fails with `NonFiniteLoss`. */
export interface UpdateMetrics {
  /** Mean over steps. */
  loss: number;
  /** Before clipping; mean over steps. */
  gradientNorm: number;
  /** k3 estimate of KL(π ‖ π_ref) per token; 0 without a reference. */
  kl: number;
  /** Mean negative log-prob of the trained tokens, at the start of the update. */
  negativeLogProb: number;
  /** Mean entropy of the policy where the trained tokens stand, in nats, as the first epoch reads them. */
  entropy: number;
  /** Share of tokens that gave no gradient because their ratio was below 1 − low. */
  clippedLow: number;
  /** The same above 1 + high. */
  clippedHigh: number;
  /** Mean importance weight of a token; 1 without `importanceCap`. */
  importanceWeight: number;
  /** Share of tokens whose importance weight is the cap. */
  importanceCapped: number;
  /**
   * Mean |learner log-prob − sampler's policy log-prob| per token, at the start of the update: of rollouts sampled in
   * float32 noise of rounding, of `w8a8` ones what 8 bits cost.
   */
  samplerMismatch: number;
  /** The largest of these differences. */
  largestMismatch: number;
  /** Tokens that were sampled and gave the gradient of an epoch; the means above are over them. */
  trainedTokens: number;
  /** Tokens that went through the model, prompts included, in all passes. */
  processedTokens: number;
  /** AdamW steps. */
  steps: number;
  /** Passes that would have kept more than the memory budget and computed their layers again instead. */
  checkpointedPasses: number;
}

export interface UpdateResult {
  policy: Uint8Array;
  optimizer: Uint8Array;
  metrics: UpdateMetrics;
  /** Largest resident set of the engine's process so far; unlike the rest, not the same every time. */
  peakResidentBytes: number;
}

export interface ModelInfo {
  /** sha256 of the model's file, or of the list of hashes of its folder's files. */
  sha256: string;
  name: string;
  parameters: number;
  vocabulary: number;
  contextLength: number;
}

/** What embeds answers for the diversity bonus, and the folder of its own files; null: it needs none. */
export interface EmbedderFiles {
  name: EmbedderName;
  folder: string | null;
}

/**
 * The policy engine as the activities see it: a base model and policies grown from it, on one device. Implemented by
 * a child process (`engine/device.ts`), because ONNX Runtime blocks the JavaScript thread it runs on.
 */
export interface Device {
  model(): Promise<ModelInfo>;
  /** A fresh adapter that changes nothing yet (A random from the seed, B zero), or the model's own weights. */
  initialPolicy(lora: TrainingConfig['lora'], seed: string): Promise<Uint8Array>;
  /** G completions for each prompt, in order. Same inputs, same bytes. */
  generate(
    policy: Blob | null,
    prompts: SamplePrompt[],
    options: SampleOptions,
    call?: Call,
  ): Promise<Completion[][]>;
  /** One GRPO update: `epochs` times `minibatches` AdamW steps over the groups. */
  update(request: UpdateRequest, call?: Call): Promise<UpdateResult>;
  /** Log-prob of each token given all before it; null for the first. */
  logProbs(policy: Blob | null, sequences: number[][], call?: Call): Promise<(number | null)[][]>;
  /** sha256 of an embedder's files, null when it has none beside the model. Throws `EmbedderUnavailable`. */
  embedder(files: EmbedderFiles): Promise<string | null>;
  /** The embedding of each completion, in order (see `Embedder`). Every completion has at least one token. */
  embed(
    embedder: EmbedderFiles,
    groups: { promptIds: number[]; completions: number[][] }[],
    call?: Call,
  ): Promise<Float32Array[][]>;
  /** The policy (1 − α) ref + α θ, elementwise. */
  blend(reference: Blob, policy: Blob, alpha: number): Promise<Uint8Array>;
  /** Process id of the engine child, for diagnosis and tests; null when it is not running. */
  processId(): number | null;
  close(): Promise<void>;
}

/** Text ↔ token ids, with the model's own tokeniser and chat template. Lives in the worker; needs no engine. */
export interface Tokenizer {
  /** The chat template applied, ending where the assistant's answer starts. */
  renderPrompt(messages: Message[]): string;
  encode(text: string): number[];
  /** Special tokens are left out. */
  decode(tokenIds: number[]): string;
  readonly stopTokenIds: readonly number[];
  /** Most tokens of a prompt and its answer together; null when the model's files do not say. */
  readonly contextLength: number | null;
}
