import type { FamilyName } from '../model/families/index.ts';

/** The shape of a decoder-only transformer, in the words of Hugging Face's `config.json`. */
export interface ModelConfig {
  family: FamilyName;
  hidden: number;
  intermediate: number;
  layers: number;
  heads: number;
  keyValueHeads: number;
  headDim: number;
  vocabulary: number;
  /** Pair i of a head's numbers turns by ropeTheta^(−2i/headDim) / ropeDivisors[i] a position. */
  ropeTheta: number;
  /** [headDim/2], how a model of longer context slows its rotations down; null: not at all. */
  ropeDivisors: readonly number[] | null;
  normEpsilon: number;
  contextLength: number;
  /** The output head is the embedding matrix; there is no tensor `lm_head.weight`. */
  tiedHead: boolean;
}

/** A dense row-major tensor. */
export interface Tensor {
  shape: number[];
  data: Float32Array;
}

/** A model, opened: its shape at once, each tensor when asked for. */
export interface Checkpoint {
  config: ModelConfig;
  name: string;
  /** sha256 of the file, or of the list of hashes of a folder's files. */
  sha256: string;
  /** Number of weights. */
  parameters: number;
  /**
   * A tensor by its Hugging Face name (`model.layers.0.self_attn.q_proj.weight`), as float32; linears are
   * `[out, in]`, the rows of Q and K in Hugging Face's half-split rotary order.
   */
  tensor(name: string): Tensor;
}
