import { product, sum, type Dim } from '../graph/dims.ts';
import { emit, type Graph, type Value } from '../graph/graph.ts';
import {
  add,
  attention,
  concat,
  expand,
  gatherRows,
  packRows,
  partialAttention,
  reshape,
  split,
  spreadRows,
  transpose,
  type Placement,
} from '../graph/ops/index.ts';
import type { ModelConfig } from '../weights/checkpoint.ts';
import { maskedScore } from './layout.ts';
import type { Attend } from './decoder.ts';

type Heads = Pick<ModelConfig, 'heads' | 'keyValueHeads' | 'headDim'>;

/** Between token rows [N·G·M, heads·D] and the order in which attention works. */
function views({ heads, keyValueHeads: kv, headDim }: Heads, n: Dim, g: Dim, m: Dim) {
  const repeats = heads / kv;
  return {
    /** [N, kv, G, rep, M, D] */
    queries: (rows: Value) => transpose(reshape(rows, [n, g, m, kv, repeats, headDim]), [0, 3, 1, 4, 2, 5]),
    /** [N, kv, G, M, D] */
    each: (rows: Value) => transpose(reshape(rows, [n, g, m, kv, headDim]), [0, 3, 1, 2, 4]),
    /** [N, kv, M, D], for G = 1 */
    shared: (rows: Value) => transpose(reshape(rows, [n, m, kv, headDim]), [0, 2, 1, 3]),
    /** Of [N, kv, G, rep, M, width]: [N·G·M, heads·width] */
    rows: (attended: Value) =>
      reshape(transpose(attended, [0, 2, 4, 1, 3, 5]), [
        product(n, g, m),
        product(heads, attended.shape[5]!),
      ]),
  };
}

/** [S, earlier + S]: a token sees itself and all before it. */
function causalMask(graph: Graph, size: Dim, earlier: Dim = 0): Value {
  const all = expand(graph.scalar(maskedScore), [size, sum(earlier, size)]);
  return emit('Trilu', [all, graph.sizes([sum(earlier, 1)])], all.shape, { upper: 1 });
}

interface KeysValues {
  keys: Value;
  values: Value;
}

/** Tokens that were read before and are seen by all: of each layer [1, kv, P, D]. */
export interface PastInputs {
  size: Dim;
  of: (layer: number) => KeysValues;
}

/** The inputs that a `Past` feeds. */
export function pastInputs(graph: Graph, { keyValueHeads: kv, headDim: d }: Heads, size: Dim): PastInputs {
  const port = (half: string, layer: number) =>
    graph.input(`past${half}.${layer}`, 'float32', [1, kv, size, d]);
  return { size, of: (layer) => ({ keys: port('Key', layer), values: port('Value', layer) }) };
}

/**
 * Lets `attend` work on padded slots [S, …] for token rows [T, …] without padding: all but attention is computed for
 * real tokens only. `slots` is the S of `attend`.
 */
export function ragged(graph: Graph, tokens: Dim, slots: Dim, attend: Attend): Attend {
  const placement: Placement = {
    slots: graph.input('slots', 'int64', [tokens]),
    rows: graph.input('rows', 'int64', [slots]),
    taken: graph.input('taken', 'float32', [slots, 1]),
  };
  return (layer, ...rows) => {
    const [q, k, v] = rows.map((value) => spreadRows(value, placement)) as [Value, Value, Value];
    return packRows(attend(layer, q, k, v), placement);
  };
}

/**
 * N sequences of S tokens after one past, padded on the right: padding comes after all that counts, so causality hides
 * it. `pastMask` [1, 1, 1, 1, 1, P] hides the past's.
 */
export function causal(
  graph: Graph,
  heads: Heads,
  n: Dim,
  s: Dim,
  past: PastInputs,
  pastMask: Value,
  /** Is given the keys and values [1, kv, N, S, D] of each layer. */
  keep: (layer: number, own: KeysValues) => void,
): Attend {
  const view = views(heads, 1, n, s);
  const mask = causalMask(graph, s);
  return (layer, q, k, v) => {
    const own = { keys: view.each(k), values: view.each(v) };
    keep(layer, own);
    const segments = [
      { ...past.of(layer), mask: pastMask },
      { ...own, mask },
    ];
    return view.rows(attention(view.queries(q), segments));
  };
}

/**
 * N prompts of P tokens, then for each G completions of C tokens: every prompt is computed once and seen by
 * all its completions. `promptMask` [N, 1, 1, 1, 1, P] hides the padding of the prompts. With a past, prompts go on
 * from there; N is 1, and the mask [1, 1, 1, 1, 1, past + P] begins with the past's.
 */
export function sharedPrompt(
  graph: Graph,
  heads: Heads,
  sizes: { n: Dim; p: Dim; g: Dim; c: Dim },
  promptMask: Value,
  reading?: {
    past: PastInputs;
    /** Is given, of each layer, the prompts' keys and values [N, kv, P, D] and the completions' [N, kv, G, C, D]. */
    keep: (layer: number, prompts: KeysValues, completions: KeysValues) => void;
  },
): Attend {
  const { n, p, g, c } = sizes;
  const prompt = views(heads, n, 1, p);
  const completion = views(heads, n, g, c);
  const masks = {
    prompt: reading ? add(causalMask(graph, p, reading.past.size), promptMask) : causalMask(graph, p),
    completion: causalMask(graph, c),
  };
  const halves = [product(n, p), product(n, g, c)];
  return (layer, q, k, v) => {
    const [qs, ks, vs] = [q, k, v].map((rows) => split(rows, halves, 0)) as [Pair, Pair, Pair];
    const prompts = { keys: prompt.shared(ks[0]), values: prompt.shared(vs[0]) };
    const shared = reading ? joined(reading.past.of(layer), prompts) : prompts;
    const own = { keys: completion.each(ks[1]), values: completion.each(vs[1]) };
    reading?.keep(layer, prompts, own);
    const ofPrompts = attention(prompt.queries(qs[0]), [{ ...shared, mask: masks.prompt }]);
    const ofCompletions = attention(completion.queries(qs[1]), [
      { ...shared, mask: promptMask },
      { ...own, mask: masks.completion },
    ]);
    return concat([prompt.rows(ofPrompts), completion.rows(ofCompletions)], 0);
  };
}

type Pair = readonly [Value, Value];

/** Of one sequence after the other: [N, kv, P, D] each. */
function joined(a: KeysValues, b: KeysValues): KeysValues {
  return { keys: concat([a.keys, b.keys], 2), values: concat([a.values, b.values], 2) };
}

/** Keys and values of earlier tokens, as inputs of a decode graph. */
export interface Caches {
  /** [N, kv, P, D] */
  prompt: KeysValues;
  /** [R, kv, L, D] */
  generated: KeysValues;
}

/**
 * One new token for each of R rollouts, which sees the prompt, what was generated, and itself. A prompt is read once
 * for all its rollouts, in a grid of N prompts with G slots each: rollout r stands in slot `slots[r]`, and `rows` says
 * who stands in a slot (anyone, where it is empty: nobody reads what comes of that). What was generated is in a row of
 * each rollout's own.
 */
export function cached(
  { heads, keyValueHeads: kv, headDim: d }: Heads,
  { r, n, g }: { r: Dim; n: Dim; g: Dim },
  grid: { slots: Value; rows: Value },
  masks: { prompt: Value; generated: Value },
  cachesOf: (layer: number) => Caches,
  /** Is given the new keys and values [R, kv, 1, D] of each layer. */
  keep: (layer: number, own: KeysValues) => void,
): Attend {
  const repeats = heads / kv;
  const inGrid = views({ heads, keyValueHeads: kv, headDim: d }, n, g, 1);
  const outOfGrid = (x: Value) =>
    reshape(gatherRows(inGrid.rows(x), grid.slots), [r, kv, 1, repeats, 1, x.shape[5]!]);
  return (layer, q, k, v) => {
    const { prompt, generated } = cachesOf(layer);
    const own = { keys: reshape(k, [r, kv, 1, d]), values: reshape(v, [r, kv, 1, d]) };
    keep(layer, own);
    const ofPrompt = partialAttention(inGrid.queries(gatherRows(q, grid.rows)), [
      { ...prompt, mask: masks.prompt },
    ]);
    const seen = attention(
      reshape(q, [r, kv, 1, repeats, 1, d]),
      [
        { ...generated, mask: masks.generated },
        { ...own, mask: null },
      ],
      { output: outOfGrid(ofPrompt.output), weight: outOfGrid(ofPrompt.weight) },
    );
    return reshape(seen, [r, heads * d]);
  };
}
