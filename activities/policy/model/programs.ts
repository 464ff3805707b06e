import { gradients } from '../graph/autodiff.ts';
import { product, sum, symbol, type Dim, type Shape } from '../graph/dims.ts';
import type { Value } from '../graph/graph.ts';
import {
  divide,
  gatherRows,
  linear,
  reshape,
  softmax,
  targetLogProb,
  transpose,
} from '../graph/ops/index.ts';
import type { Program, ProgramOptions } from '../graph/program.ts';
import type { Precision } from '../policy.ts';
import type { LoraShape } from '../weights/adapter.ts';
import type { Trainable } from '../weights/parameters.ts';
import { cached, causal, pastInputs, ragged, sharedPrompt } from './attend.ts';
import type { Attend } from './decoder.ts';
import { drawTokens } from './draw.ts';
import { draft, type Draft, type ModelWeights } from './draft.ts';
import { grpo } from './objective.ts';
import { quantiseWeights } from './quantise.ts';

export { arrangeWeights, type ModelWeights } from './draft.ts';

/** Token rows: real tokens, without padding. */
const T = symbol('T');
const [N, P, G, C] = [symbol('N'), symbol('P'), symbol('G'), symbol('C')];
const [F, L, S] = [symbol('F'), symbol('L'), symbol('S')];
const [B, K] = [symbol('B'), symbol('K')];
/** Completions that are embedded. */
const E = symbol('E');
/** Rollouts that are decoded together. */
const R = symbol('R');
/** Scored rows: B blocks of K, of which one at a time is multiplied with the output table. */
const scored = product(B, K);

/** What a sampling program gives of the next token: one drawn from its distribution, or the distribution to cut. */
export type Yield = 'tokens' | 'distribution';

/**
 * Reads N prompts that begin with the same tokens, those once, and gives the token after each, G times. What was read
 * before of these first tokens is given.
 * Symbols and feeds: `layoutPrompts`; a `Past`; the policy's own tensors.
 * Outputs: keys and values per layer, `prefixKey.{l}`, `prefixValue.{l}` [1, kv, F, D] of what the prompts share and
 * `suffixKey.{l}`, `suffixValue.{l}` [kv, N, C, D] of the rest; `tokens`, `probabilities` [N, G] as `drawTokens`
 * gives them, or `distribution` [N, vocab] = softmax(`logits`) with logits
 * divided by the temperature.
 */
export function prefillProgram(
  weights: ModelWeights,
  trainable: Trainable | null,
  options: ProgramOptions,
  yields: Yield = 'tokens',
): Promise<Program> {
  const { graph, config, hiddenStates, head, compile } = draft(weights, trainable, 'fed', options);
  const { keyValueHeads: kv, headDim: d } = config;
  const prefixMask = graph.input('prefixMask', 'float32', [1, 1, 1, 1, 1, sum(P, F)]);
  const attend = sharedPrompt(graph, config, { n: 1, p: F, g: N, c: C }, prefixMask, {
    past: pastInputs(graph, config, P),
    keep: (layer, shared, own) => {
      graph.output(`prefixKey.${layer}`, shared.keys);
      graph.output(`prefixValue.${layer}`, shared.values);
      graph.output(`suffixKey.${layer}`, reshape(own.keys, [kv, N, C, d]));
      graph.output(`suffixValue.${layer}`, reshape(own.values, [kv, N, C, d]));
    },
  });
  const rows = ragged(graph, T, sum(F, product(N, C)), attend);
  const last = gatherRows(hiddenStates(rows, T), graph.input('lastRows', 'int64', [N]));
  const logits = next(head, last, N, G, yields);
  if (yields === 'distribution') graph.output('logits', logits);
  return compile();
}

/**
 * One token for each of R rollouts of N prompts, of which none has more than G; with `precision` w8a8, from the
 * distribution that the base model has when its products are made in 8 bits.
 * Symbols R, N, G, P (prompt cache length), L (generated cache length, ≥ 1: mask what is not filled yet).
 * Feeds: tokenIds, positions, temperature [R]; `slots` [R], where n·G + g says that a rollout is one of prompt n, no two
 * alike, and `rows` [N*G], the rollout in each slot (any, if none); promptMask [N, P], generatedMask [R, L]
 * (0 = filled, `maskedScore` = not); caches `promptKey.{l}`, `promptValue.{l}` [N, kv, P, D] and
 * `generatedKey.{l}`, `generatedValue.{l}` [R, kv, L, D]; the adapter; for tokens, uniforms [R].
 * A policy with weights of its own is given in `weights`, to be packed like a model's.
 * Outputs: `key.{l}`, `value.{l}` [R, kv, D], to be appended to the generated caches by the caller (rows of D
 * floats; caches are inputs only, because outputs are copied); `tokens`, `probabilities` [R] as `drawTokens` gives
 * them, or `distribution` [R, vocab] = softmax(logits / temperature).
 */
export async function decodeProgram(
  weights: ModelWeights,
  lora: LoraShape | null,
  options: ProgramOptions,
  yields: Yield = 'tokens',
  precision: Precision = 'float32',
): Promise<Program> {
  const quantised = precision === 'w8a8' ? await quantiseWeights(weights, options) : undefined;
  const { graph, config, hiddenStates, head, compile } = draft(
    weights,
    lora,
    'packed',
    options,
    false,
    quantised,
  );
  const { keyValueHeads: kv, headDim: d } = config;
  const attend = cached(
    config,
    { r: R, n: N, g: G },
    {
      slots: graph.input('slots', 'int64', [R]),
      rows: graph.input('rows', 'int64', [product(N, G)]),
    },
    {
      prompt: graph.input('promptMask', 'float32', [N, 1, 1, 1, 1, P]),
      generated: graph.input('generatedMask', 'float32', [R, 1, 1, 1, 1, L]),
    },
    (layer) => ({
      prompt: {
        keys: graph.input(`promptKey.${layer}`, 'float32', [N, kv, P, d]),
        values: graph.input(`promptValue.${layer}`, 'float32', [N, kv, P, d]),
      },
      generated: {
        keys: graph.input(`generatedKey.${layer}`, 'float32', [R, kv, L, d]),
        values: graph.input(`generatedValue.${layer}`, 'float32', [R, kv, L, d]),
      },
    }),
    (layer, own) => {
      graph.output(`key.${layer}`, reshape(own.keys, [R, kv, d]), true);
      graph.output(`value.${layer}`, reshape(own.values, [R, kv, d]), true);
    },
  );
  next(head, hiddenStates(attend, R), R, 1, yields);
  return compile();
}

/** The end of a sampling program: outputs what is asked of the next token, and returns its logits [rows, vocab]. */
function next(head: Draft['head'], hidden: Value, rows: Dim, draws: Dim, yields: Yield): Value {
  const { graph } = hidden;
  const logits = head.logits(tempered(head.norm(hidden), [rows, 1]));
  const distribution = softmax(logits);
  if (yields === 'distribution') {
    graph.output('distribution', distribution);
    return logits;
  }
  const drawn = drawTokens(distribution, graph.input('uniforms', 'float32', [rows, draws]));
  graph.output('tokens', drawn.tokens);
  graph.output('probabilities', drawn.probabilities);
  return logits;
}

/** Normed hidden states that give logits / temperature: logits are linear in them, and they are narrower. */
function tempered(normed: Value, shape: Shape): Value {
  return divide(normed, normed.graph.input('temperature', 'float32', shape));
}

/**
 * Log-probs [R] of `targets` at `scoredRows`, and in training the entropy [R] there; the output table is used for
 * these rows only. `slots`: of `attend`.
 */
function scoredLogProbs(
  { graph, hiddenStates, head }: Draft,
  attend: Attend,
  slots: Dim,
  checkpointed = false,
): readonly Value[] {
  const hidden = hiddenStates(ragged(graph, T, slots, attend), T, checkpointed);
  const rows = gatherRows(hidden, graph.input('scoredRows', 'int64', [scored]));
  return targetLogProb(
    tempered(head.norm(rows), [1]),
    head.table(),
    graph.input('targets', 'int64', [scored]),
    B,
    K,
  );
}

/** Slots of prompts with their completions. */
const groupSlots = sum(product(N, P), product(N, G, C));

function attendInGroups({ graph, config }: Draft): Attend {
  const promptMask = graph.input('promptMask', 'float32', [N, 1, 1, 1, 1, P]);
  return sharedPrompt(graph, config, { n: N, p: P, g: G, c: C }, promptMask);
}

/** The same for prompts with their completions. */
const completionLogProbs = (model: Draft, checkpointed = false): readonly Value[] =>
  scoredLogProbs(model, attendInGroups(model), groupSlots, checkpointed);

/**
 * Means of the final hidden states of completions, each prompt read once, by the model as it is (ExIt §4.2 leaves open
 * what embeds a solution; decision 25). Symbols and feeds: `layoutMeans`. Output: `embeddings` [E, hidden].
 */
export function embeddingProgram(weights: ModelWeights, options: ProgramOptions): Promise<Program> {
  const model = draft(weights, null, 'fed', options);
  const { graph, hiddenStates, head } = model;
  const hidden = head.norm(hiddenStates(ragged(graph, T, groupSlots, attendInGroups(model)), T));
  graph.output('embeddings', linear(graph.input('weights', 'float32', [E, T]), transpose(hidden, [1, 0])));
  return model.compile();
}

/**
 * Log-probs of completion tokens; each prompt is read once for its G completions.
 * Symbols and feeds: `layoutGroups`; temperature [1]; the policy's own tensors. Output: `logProbs` [R].
 */
export function logProbProgram(
  weights: ModelWeights,
  trainable: Trainable | null,
  options: ProgramOptions,
): Promise<Program> {
  const model = draft(weights, trainable, 'fed', options);
  const [logProbs] = completionLogProbs(model);
  model.graph.output('logProbs', logProbs!);
  return model.compile();
}

/**
 * Log-probs of plain sequences; what was read before of their common beginning is given.
 * Symbols and feeds: `layoutTexts`; a `Past`; temperature [1]; the policy's own tensors.
 * Outputs: `logProbs` [R]; keys and values per layer, `suffixKey.{l}`, `suffixValue.{l}` [kv, N, S, D].
 */
export function textLogProbProgram(
  weights: ModelWeights,
  trainable: Trainable | null,
  options: ProgramOptions,
): Promise<Program> {
  const model = draft(weights, trainable, 'fed', options);
  const { graph, config } = model;
  const { keyValueHeads: kv, headDim: d } = config;
  const pastMask = graph.input('pastMask', 'float32', [1, 1, 1, 1, 1, P]);
  const attend = causal(graph, config, N, S, pastInputs(graph, config, P), pastMask, (layer, own) => {
    graph.output(`suffixKey.${layer}`, reshape(own.keys, [kv, N, S, d]));
    graph.output(`suffixValue.${layer}`, reshape(own.values, [kv, N, S, d]));
  });
  const [logProbs] = scoredLogProbs(model, attend, product(N, S));
  graph.output('logProbs', logProbs!);
  return model.compile();
}

/**
 * The GRPO objective (ExIt Eq. 4) and its gradient for what is trained: an adapter, or all weights. `checkpointed`: the
 * backward pass computes each layer again instead of keeping what is in it; same results, to the bit.
 * Symbols and feeds: `layoutGroups`; the policy's own tensors; per token [R] and scalars [1]: `ObjectiveInputs`; temperature [1].
 * Outputs: `loss` [1]; per token [R]: `logProbs`, `entropy` (nats), `kl` (k3 estimate), `importanceWeight` (c),
 * and 0 or 1 each `clippedLow`, `clippedHigh`, `importanceCapped`; `gradient.{tensor name}` each.
 */
export function trainingProgram(
  weights: ModelWeights,
  trainable: Trainable,
  options: ProgramOptions,
  checkpointed = false,
): Promise<Program> {
  const model = draft(weights, trainable, 'fed', options, true);
  const { graph, policy } = model;
  const [logProbs, entropy] = completionLogProbs(model, checkpointed);
  const perToken = (name: string) => graph.input(name, 'float32', [scored]);
  const scalar = (name: string) => graph.input(name, 'float32', [1]);
  const { loss, ...perTokenOutputs } = grpo(logProbs!, {
    advantages: perToken('advantages'),
    tokenWeights: perToken('tokenWeights'),
    oldLogProbs: perToken('oldLogProbs'),
    referenceLogProbs: perToken('referenceLogProbs'),
    samplerLogProbs: perToken('samplerLogProbs'),
    clipLow: scalar('clipLow'),
    clipHigh: scalar('clipHigh'),
    klCoefficient: scalar('klCoefficient'),
    onPolicy: scalar('onPolicy'),
    importance: scalar('importance'),
    importanceCap: scalar('importanceCap'),
  });
  graph.output('loss', loss);
  for (const [name, value] of Object.entries({ logProbs: logProbs!, entropy: entropy!, ...perTokenOutputs }))
    graph.output(name, value);
  const slopes = gradients(loss, policy);
  policy.forEach(({ name }, i) => graph.output(`gradient.${name}`, slopes[i]!));
  return model.compile();
}
