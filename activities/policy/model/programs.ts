import type { Program, ProgramOptions } from '../graph/program.ts';
import type { Checkpoint, ModelConfig } from '../weights/checkpoint.ts';
import type { LoraShape } from './lora.ts';

/** The base model's tensors by Hugging Face name, made once and shared without copies by all programs. */
export interface ModelWeights {
  config: ModelConfig;
  tensors: Record<string, Float32Array>;
}
export declare function arrangeWeights(checkpoint: Checkpoint): ModelWeights;

/** Name and shape of every adapter tensor, in order; these names are inputs of each program that has a LoRA. */
export declare function adapterTensors(
  config: ModelConfig,
  lora: LoraShape,
): { name: string; shape: [number, number] }[];

/**
 * Reads prompts and gives the distribution of the token after each.
 * Symbols N (prompts), P (padded length). Feeds (`layoutPrompts`): tokenIds [N*P], positions [N*P],
 * lastRows [N]; temperature [N]; the adapter.
 * Outputs: `promptKey.{l}`, `promptValue.{l}` [N, kv, P, D] per layer; `logits`, `probabilities` [N, vocab].
 */
export declare function prefillProgram(
  weights: ModelWeights,
  lora: LoraShape | null,
  options: ProgramOptions,
): Promise<Program>;

/**
 * One token for each of the G rollouts of N prompts (row n·G + g).
 * Symbols N, G, P (prompt cache length), L (generated cache length, ≥ 1: mask what is not filled yet).
 * Feeds: tokenIds, positions, temperature [N*G]; promptMask [N, P]; generatedMask [N, G, L] (0 = filled,
 * `maskedScore` = not); caches `promptKey.{l}`, `promptValue.{l}` [N, kv, P, D] as prefill gives them, and
 * `generatedKey.{l}`, `generatedValue.{l}` [N, kv, G, L, D]; the adapter.
 * Outputs: `key.{l}`, `value.{l}` [N, kv, G, D], to be appended to the generated caches by the caller (rows of D
 * floats), and `probabilities` [N*G, vocab] = softmax(logits / temperature).
 */
export declare function decodeProgram(
  weights: ModelWeights,
  lora: LoraShape | null,
  options: ProgramOptions,
): Promise<Program>;

/**
 * Log-probs of completion tokens; each prompt is read once for its G completions.
 * Symbols and feeds: `layoutGroups`; the adapter. Output: `logProbs` [R].
 */
export declare function logProbProgram(
  weights: ModelWeights,
  lora: LoraShape | null,
  options: ProgramOptions,
): Promise<Program>;

/** Log-probs of plain sequences. Symbols and feeds: `layoutTexts`; the adapter. Output: `logProbs` [R]. */
export declare function textLogProbProgram(
  weights: ModelWeights,
  lora: LoraShape | null,
  options: ProgramOptions,
): Promise<Program>;

/**
 * The GRPO objective (ExIt Eq. 4) and its gradient for the adapter, the base model frozen.
 * Symbols and feeds: `layoutGroups`; the adapter; per token [R]: advantages, tokenWeights (normalised: the
 * loss is a plain sum), oldLogProbs, referenceLogProbs; scalars [1]: clipRange ε, klCoefficient β,
 * onPolicy (1: old = this pass's log-probs; 0: oldLogProbs).
 * Outputs: `loss` [1]; per token [R]: `logProbs`, `kl` (k3 estimate), `clipped` (0 or 1); `gradient.{adapter tensor name}` each.
 */
export declare function trainingProgram(
  weights: ModelWeights,
  lora: LoraShape,
  options: ProgramOptions,
): Promise<Program>;
