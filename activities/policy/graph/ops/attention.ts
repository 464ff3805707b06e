import { product, showShape, type Dim, type Shape } from '../dims.ts';
import { emit, expectShape, type Value } from '../graph.ts';
import { multiOperation } from '../operation.ts';
import { sum } from './reduce.ts';
import { concat, expand, reshape, split, transpose } from './shape.ts';

/**
 * Keys and values that queries look at. Either [N, kv, S, D], shared by the G sequences that a batch entry
 * has, or [N, kv, G, S, D], one per sequence.
 */
export interface Segment {
  keys: Value;
  values: Value;
  /** Added to the scores; anything that broadcasts to [N, kv, G, rep, M, S]. Null: all is visible. */
  mask: Value | null;
}

type Product = { transA?: 1; transB?: 1; alpha?: { float: number } };

/** Batched a b, with either side transposed in its last two axes, scaled. */
function matmul(a: Value, b: Value, attributes: Product = {}): Value {
  const { transA, transB, alpha } = attributes;
  const rank = a.shape.length;
  const rows = a.shape[transA ? rank - 1 : rank - 2]!;
  const columns = b.shape[transB ? rank - 2 : rank - 1]!;
  const shape = [...a.shape.slice(0, rank - 2), rows, columns];
  if (a.graph.device !== 'webgpu') return emit('FusedMatMul', [a, b], shape, attributes, 'com.microsoft');
  // WebGPU's provider has no kernel for that, and would fetch keys and values to the processor.
  const swapped = [...a.shape.keys()].slice(0, rank - 2).concat(rank - 1, rank - 2);
  const factors = [transA ? transpose(a, swapped) : a, transB ? transpose(b, swapped) : b];
  const unscaled = emit('MatMul', factors, shape);
  return alpha ? emit('Mul', [unscaled, a.graph.scalar(alpha.float)], shape) : unscaled;
}

/** What queries saw of a part of what there is. */
export interface Seen {
  /** [N, kv, G, rep, M, D] */
  output: Value;
  /** [N, kv, G, rep, M, 1] The log of the sum of exp(score) over the part: as if it were one key with this score. */
  weight: Value;
}

/**
 * softmax(q Kᵀ / √D + mask) V over the segments one after the other, for queries [N, kv, G, rep, M, D]: N
 * batch entries, kv key-value heads, G sequences that share a prefix, rep query heads a key-value head (GQA), M
 * tokens. A segment's product has all its queries as rows, so a shared prefix is read once for G·rep·M of
 * them, and the gradients of its keys and values are summed inside the matrix product. In the backward pass
 * rowsum(dP·P) = rowsum(dO·O), so segments need only their own probabilities. A part that was `seen` already counts as
 * if softmax had gone over its scores, too. With `weighed`, there is a second result: the weight of all this.
 */
const attended = multiOperation(
  'attention',
  (queries: Value, segments: readonly Segment[], seen: Seen | null, weighed: boolean) => {
    const [n, kv, g, rep, m, d] = queries.shape as [Dim, Dim, Dim, Dim, Dim, Dim];
    if (queries.shape.length !== 6 || typeof d !== 'number')
      throw new Error(`attention queries need [N, kv, G, rep, M, D], got ${showShape(queries.shape)}`);
    const scale = { float: 1 / Math.sqrt(d) };
    /** The rows of a tensor [N, kv, G, rep, M, ?] as one segment's matrix product wants them. */
    const rowsFor = ({ keys }: Segment, last: Dim): Shape =>
      keys.shape.length === 4 ? [n, kv, product(g, rep, m), last] : [n, kv, g, product(rep, m), last];
    const sizeOf = ({ keys }: Segment): Dim => keys.shape[keys.shape.length - 2]!;
    const perQuery = (last: Dim): Shape => [n, kv, g, rep, m, last];

    const scores = segments.map((segment) => {
      const size = sizeOf(segment);
      const shared = segment.keys.shape.length === 4;
      expectShape(segment.keys, shared ? [n, kv, size, d] : [n, kv, g, size, d], 'keys');
      expectShape(segment.values, segment.keys.shape, 'values');
      const dots = matmul(reshape(queries, rowsFor(segment, d)), segment.keys, { transB: 1, alpha: scale });
      const score = reshape(dots, perQuery(size));
      return segment.mask ? emit('Add', [score, segment.mask], perQuery(size)) : score;
    });
    const sizes = segments.map(sizeOf);
    if (seen) {
      expectShape(seen.output, queries.shape, 'what was seen');
      expectShape(seen.weight, perQuery(1), 'the weight of what was seen');
      scores.push(seen.weight);
      sizes.push(1);
    }
    const joined = concat(scores, 5);
    const softmax = emit('Softmax', [joined], joined.shape, { axis: -1 });
    const parts = split(softmax, sizes, 5);
    const probabilities = segments.map((segment, i) => reshape(parts[i]!, rowsFor(segment, sizes[i]!)));
    const outputs = segments.map((segment, i) =>
      reshape(matmul(probabilities[i]!, segment.values), queries.shape),
    );
    const ofSeen = parts[segments.length];
    if (seen) outputs.push(emit('Mul', [seen.output, ofSeen!], queries.shape));
    const output = outputs.reduce((a, b) => emit('Add', [a, b], queries.shape));
    /** Where a score is largest, so is its probability, which is far from 0: ln p = score − weight. */
    const weight = () => {
      const [score, probability] = [largest(joined), largest(softmax)];
      return emit('Sub', [score, emit('Log', [probability], score.shape)], score.shape);
    };

    return {
      inputs: [
        queries,
        ...segments.flatMap(({ keys, values }) => [keys, values]),
        ...(seen ? [seen.output, seen.weight] : []),
      ],
      outputs: weighed ? [output, weight()] : [output],
      gradient: ([dOutput, dWeight]) => {
        const dy = dOutput ?? expand(queries.graph.scalar(0), queries.shape);
        const dots = sum(emit('Mul', [dy, output], queries.shape), [5]);
        const rowSum = dWeight ? emit('Sub', [dots, dWeight], dots.shape) : dots;
        const perSegment = segments.map((segment, i) => {
          const { keys, values } = segment;
          const p = probabilities[i]!;
          const dO = reshape(dy, rowsFor(segment, d));
          const dP = matmul(dO, values, { transB: 1 });
          const centred = emit('Sub', [dP, reshape(rowSum, rowsFor(segment, 1))], p.shape);
          const dS = emit('Mul', [p, centred], p.shape);
          const q = reshape(queries, rowsFor(segment, d));
          return {
            queries: reshape(matmul(dS, keys, { alpha: scale }), queries.shape),
            keys: keys.tracked ? matmul(dS, q, { transA: 1, alpha: scale }) : null,
            values: values.tracked ? matmul(p, dO, { transA: 1 }) : null,
          };
        });
        const slopesOfSeen = ({ output, weight }: Seen) => {
          const dP = sum(emit('Mul', [dy, output], queries.shape), [5]);
          const centred = emit('Sub', [dP, rowSum], dP.shape);
          return [
            output.tracked ? emit('Mul', [dy, ofSeen!], queries.shape) : null,
            weight.tracked ? emit('Mul', [ofSeen!, centred], dP.shape) : null,
          ];
        };
        return [
          perSegment.map((part) => part.queries).reduce((a, b) => emit('Add', [a, b], queries.shape)),
          ...perSegment.flatMap((part) => [part.keys, part.values]),
          ...(seen ? slopesOfSeen(seen) : []),
        ];
      },
    };
  },
);

/** Over the last axis, which stays with size 1. */
function largest(x: Value): Value {
  const last = x.shape.length - 1;
  const shape = [...x.shape.slice(0, last), 1];
  return emit('ReduceMax', [x, x.graph.integers([last])], shape, { keepdims: 1 });
}

/** What the queries see of the segments, and of what they have seen already: [N, kv, G, rep, M, D]. */
export const attention = (queries: Value, segments: readonly Segment[], seen: Seen | null = null): Value =>
  attended(queries, segments, seen, false)[0]!;

/** What the queries see of some of the segments that they look at. */
export function partialAttention(queries: Value, segments: readonly Segment[]): Seen {
  const [output, weight] = attended(queries, segments, null, true);
  return { output: output!, weight: weight! };
}
