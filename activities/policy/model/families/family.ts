import type { Target } from '../../weights/adapter.ts';

/** What sets one family of decoders apart from the others; the layers themselves are those of `decoder.ts`. */
export interface Family {
  /** The class that transformers makes of a model, as `config.json` names it. */
  architecture: string;
  /** Linears of a layer that add a bias. */
  biases: readonly Target[];
  /** llama.cpp stores the rows of Q and K in interleaved rotary order for this family. */
  interleavedInGguf: boolean;
  /** Settings of `config.json` that turn on what the layers do not compute: a model that has them is refused. */
  refusedSettings: readonly string[];
}
