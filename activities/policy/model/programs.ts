import { gradients } from '../graph/autodiff.ts';
import { product, sum, symbol, type Dim } from '../graph/dims.ts';
import type { Value } from '../graph/graph.ts';
import { divide, gatherRows, linear, reshape, softmax, targetLogProb } from '../graph/ops/index.ts';
import type { Program, ProgramOptions } from '../graph/program.ts';
import type { LoraShape } from '../weights/adapter.ts';
import { cached, causal, ragged, sharedPrompt } from './attend.ts';
import type { Attend } from './decoder.ts';
import { drawTokens } from './draw.ts';
import { draft, type Draft, type ModelWeights } from './draft.ts';
import { grpo } from './objective.ts';

export { arrangeWeights, type ModelWeights } from './draft.ts';

/** Token rows: real tokens, without padding. */
const T = symbol('T');
const [N, P, G, C] = [symbol('N'), symbol('P'), symbol('G'), symbol('C')];
const [L, S, B, K] = [symbol('L'), symbol('S'), symbol('B'), symbol('K')];
/** Rollouts that are decoded together. */
const R = symbol('R');
/** Scored rows: B blocks of K, of which one at a time is multiplied with the output table. */
const scored = product(B, K);

/** What a sampling program gives of the next token: one drawn from its distribution, or the distribution itself. */
export type Yield = 'tokens' | 'distribution';

/**
 * Reads prompts and gives the token after each, G times.
 * Symbols and feeds: `layoutPrompts`; temperature [N]; the adapter; for tokens, symbol G and uniforms [N, G].
 * Outputs: `promptKey.{l}`, `promptValue.{l}` [N, kv, P, D] per layer; `tokens`, `probabilities` [N, G] as
 * `drawTokens` gives them, or `logits` and `distribution` [N, vocab].
 */
export function prefillProgram(
  weights: ModelWeights,
  lora: LoraShape | null,
  options: ProgramOptions,
  yields: Yield = 'tokens',
): Promise<Program> {
  const { graph, config, hiddenStates, head, compile } = draft(weights, lora, 'fed');
  const attend = causal(graph, config, N, P, (layer, keys, values) => {
    graph.output(`promptKey.${layer}`, keys);
    graph.output(`promptValue.${layer}`, values);
  });
  const rows = ragged(graph, T, product(N, P), attend);
  const last = gatherRows(hiddenStates(rows, T), graph.input('lastRows', 'int64', [N]));
  const logits = linear(head.norm(last), head.table);
  if (yields === 'distribution') graph.output('logits', logits);
  next(logits, N, G, yields);
  return compile(options);
}

/**
 * One token for each of R rollouts, which stand in the slots n·G + g of N prompts with G each.
 * Symbols R, N, G, P (prompt cache length), L (generated cache length, ≥ 1: mask what is not filled yet).
 * Feeds: tokenIds, positions, temperature [R]; the placement `slots` [R], `rows`, `taken` [N*G]; promptMask [N, P];
 * generatedMask [N, G, L] (0 = filled, `maskedScore` = not); caches `promptKey.{l}`, `promptValue.{l}` [N, kv, P, D]
 * as prefill gives them, and `generatedKey.{l}`, `generatedValue.{l}` [N, kv, G, L, D]; the adapter; for tokens,
 * uniforms [R].
 * Outputs: `key.{l}`, `value.{l}` [N, kv, G, D], to be appended to the generated caches by the caller (rows of D
 * floats; caches are inputs only, because outputs are copied); `tokens`, `probabilities` [R] as `drawTokens` gives
 * them, or `distribution` [R, vocab] = softmax(logits / temperature).
 */
export function decodeProgram(
  weights: ModelWeights,
  lora: LoraShape | null,
  options: ProgramOptions,
  yields: Yield = 'tokens',
): Promise<Program> {
  const { graph, config, hiddenStates, head, compile } = draft(weights, lora, 'packed');
  const { keyValueHeads: kv, headDim: d } = config;
  const slots = product(N, G);
  const masks = {
    prompt: graph.input('promptMask', 'float32', [N, 1, 1, 1, 1, P]),
    generated: graph.input('generatedMask', 'float32', [N, 1, G, 1, 1, L]),
  };
  const attend = cached(
    config,
    N,
    G,
    masks,
    (layer) => ({
      prompt: {
        keys: graph.input(`promptKey.${layer}`, 'float32', [N, kv, P, d]),
        values: graph.input(`promptValue.${layer}`, 'float32', [N, kv, P, d]),
      },
      generated: {
        keys: graph.input(`generatedKey.${layer}`, 'float32', [N, kv, G, L, d]),
        values: graph.input(`generatedValue.${layer}`, 'float32', [N, kv, G, L, d]),
      },
    }),
    (layer, keys, values) => {
      graph.output(`key.${layer}`, reshape(keys, [N, kv, G, d]));
      graph.output(`value.${layer}`, reshape(values, [N, kv, G, d]));
    },
  );
  const hidden = head.norm(hiddenStates(ragged(graph, R, slots, attend), R));
  next(linear(hidden, head.table), R, 1, yields);
  return compile(options);
}

/** The end of a sampling program: from logits [rows, vocab], what is asked of the next token. */
function next(logits: Value, rows: Dim, draws: Dim, yields: Yield): void {
  const { graph } = logits;
  const temperature = graph.input('temperature', 'float32', [rows, 1]);
  const distribution = softmax(divide(logits, temperature));
  if (yields === 'distribution') return graph.output('distribution', distribution);
  const drawn = drawTokens(distribution, graph.input('uniforms', 'float32', [rows, draws]));
  graph.output('tokens', drawn.tokens);
  graph.output('probabilities', drawn.probabilities);
}

/** Log-probs [R] of `targets` at `scoredRows`; the output table is used for these rows only. `slots`: of `attend`. */
function scoredLogProbs({ graph, hiddenStates, head }: Draft, attend: Attend, slots: Dim): Value {
  const hidden = hiddenStates(ragged(graph, T, slots, attend), T);
  const rows = gatherRows(hidden, graph.input('scoredRows', 'int64', [scored]));
  return targetLogProb(head.norm(rows), head.table, graph.input('targets', 'int64', [scored]), B, K);
}

/** The same for prompts with their completions. */
function completionLogProbs(model: Draft): Value {
  const { graph, config } = model;
  const promptMask = graph.input('promptMask', 'float32', [N, 1, 1, 1, 1, P]);
  const attend = sharedPrompt(graph, config, { n: N, p: P, g: G, c: C }, promptMask);
  return scoredLogProbs(model, attend, sum(product(N, P), product(N, G, C)));
}

/**
 * Log-probs of completion tokens; each prompt is read once for its G completions.
 * Symbols and feeds: `layoutGroups`; the adapter. Output: `logProbs` [R].
 */
export function logProbProgram(
  weights: ModelWeights,
  lora: LoraShape | null,
  options: ProgramOptions,
): Promise<Program> {
  const model = draft(weights, lora, 'fed');
  model.graph.output('logProbs', completionLogProbs(model));
  return model.compile(options);
}

/** Log-probs of plain sequences. Symbols and feeds: `layoutTexts`; the adapter. Output: `logProbs` [R]. */
export function textLogProbProgram(
  weights: ModelWeights,
  lora: LoraShape | null,
  options: ProgramOptions,
): Promise<Program> {
  const model = draft(weights, lora, 'fed');
  const attend = causal(model.graph, model.config, N, S);
  model.graph.output('logProbs', scoredLogProbs(model, attend, product(N, S)));
  return model.compile(options);
}

/**
 * The GRPO objective (ExIt Eq. 4) and its gradient for the adapter, the base model frozen.
 * Symbols and feeds: `layoutGroups`; the adapter; per token [R]: advantages, tokenWeights (normalised: the
 * loss is a plain sum), oldLogProbs, referenceLogProbs; scalars [1]: clipRange ε, klCoefficient β,
 * onPolicy (1: old = this pass's log-probs; 0: oldLogProbs).
 * Outputs: `loss` [1]; per token [R]: `logProbs`, `kl` (k3 estimate), `clipped` (0 or 1);
 * `gradient.{adapter tensor name}` each.
 */
export function trainingProgram(
  weights: ModelWeights,
  lora: LoraShape,
  options: ProgramOptions,
): Promise<Program> {
  const model = draft(weights, lora, 'fed', true);
  const { graph, adapter } = model;
  const logProbs = completionLogProbs(model);
  const perToken = (name: string) => graph.input(name, 'float32', [scored]);
  const scalar = (name: string) => graph.input(name, 'float32', [1]);
  const { loss, kl, clipped } = grpo(logProbs, {
    advantages: perToken('advantages'),
    tokenWeights: perToken('tokenWeights'),
    oldLogProbs: perToken('oldLogProbs'),
    referenceLogProbs: perToken('referenceLogProbs'),
    clipRange: scalar('clipRange'),
    klCoefficient: scalar('klCoefficient'),
    onPolicy: scalar('onPolicy'),
  });
  graph.output('loss', loss);
  graph.output('logProbs', logProbs);
  graph.output('kl', kl);
  graph.output('clipped', clipped);
  const slopes = gradients(loss, adapter);
  adapter.forEach(({ name }, i) => graph.output(`gradient.${name}`, slopes[i]!));
  return model.compile(options);
}
