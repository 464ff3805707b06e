import { openGguf } from './gguf.ts';

/** The shape of a decoder-only transformer, in the words of Hugging Face's `config.json`. */
export interface ModelConfig {
  family: 'llama';
  hidden: number;
  intermediate: number;
  layers: number;
  heads: number;
  keyValueHeads: number;
  headDim: number;
  vocabulary: number;
  ropeTheta: number;
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

/** A model file, opened: its shape at once, each tensor when asked for. */
export interface Checkpoint {
  config: ModelConfig;
  name: string;
  /** sha256 of the file. */
  sha256: string;
  /** Number of weights. */
  parameters: number;
  /**
   * A tensor by its Hugging Face name (`model.layers.0.self_attn.q_proj.weight`), dequantised; linears are
   * `[out, in]`, the rows of Q and K in Hugging Face's half-split rotary order.
   */
  tensor(name: string): Tensor;
}

/** Opens a model file. Throws `ModelUnavailable` when it is missing, damaged or of an unsupported kind. */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  return openGguf(path);
}
