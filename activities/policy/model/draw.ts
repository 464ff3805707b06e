import type { Shape } from '../graph/dims.ts';
import { emit, type Value } from '../graph/graph.ts';
import { reshape, sum } from '../graph/ops/index.ts';

/**
 * Draws tokens by inverse CDF, in the graph: of `probabilities` [N, vocab] nothing but the drawn leaves the session,
 * and the vocabulary is read once, in parallel. G draws a row by `uniforms` [N, G] in [0, 1).
 *
 * The vocabulary is cut into blocks. The block is where the running sum of block sums passes u · total, the token
 * where the running sum within the block passes the rest. A token of probability zero is never drawn.
 *
 * @returns `tokens` [N, G], whole numbers, and their `probabilities` [N, G]; not positive when the row is no
 * distribution (NaN).
 */
export function drawTokens(probabilities: Value, uniforms: Value): { tokens: Value; probabilities: Value } {
  const { graph } = probabilities;
  const [n, vocabulary] = probabilities.shape;
  const g = uniforms.shape[1]!;
  if (n === undefined || typeof vocabulary !== 'number') throw new Error('probabilities need [N, vocab]');
  const width = blockWidth(vocabulary);
  const blocks = vocabulary / width;
  const perDraw: Shape = [n, g, 1];

  const grid = reshape(probabilities, [n, blocks, width]);
  const running = runningSum(reshape(sum(grid, [2]), [n, 1, blocks]));
  const total = emit('Gather', [running, graph.integers([blocks - 1])], [n, 1, 1], { axis: 2 });
  const u = emit('Mul', [reshape(uniforms, perDraw), total], perDraw);
  const passed = atMost(running, u, [n, g, blocks]);
  const block = sum(passed, [2]);
  const before = emit(
    'ReduceMax',
    [emit('Mul', [passed, running], passed.shape), graph.integers([2])],
    perDraw,
    { keepdims: 1 },
  );

  const [within] = graph.node('GatherND', [grid, toInteger(block)], [{ shape: [n, g, width] }], {
    batch_dims: 1,
  });
  const inside = runningSum(within!);
  const rest = emit('Sub', [u, before], perDraw);
  const counted = sum(atMost(inside, rest, within!.shape), [2]);
  // Rounding may leave the whole block's running sum at or below the rest: then its likeliest token.
  const [likeliest] = graph.node('ArgMax', [within!], [{ shape: perDraw, type: 'int64' }], {
    axis: 2,
    keepdims: 1,
  });
  const [found] = graph.node('Less', [counted, graph.scalar(width)], [{ shape: perDraw, type: 'bool' }]);
  const place = emit('Where', [found!, counted, toFloat(likeliest!)], perDraw);
  const chosen = emit('GatherElements', [within!, toInteger(place)], perDraw, { axis: 2 });
  const token = emit('Add', [emit('Mul', [block, graph.scalar(width)], perDraw), place], perDraw);
  return { tokens: reshape(token, [n, g]), probabilities: reshape(chosen, [n, g]) };
}

/** The divisor of the vocabulary's size next to its root. */
function blockWidth(vocabulary: number): number {
  let width = Math.floor(Math.sqrt(vocabulary));
  while (vocabulary % width !== 0) width--;
  // A size without a middling divisor is cut into its few large blocks, not its many small ones.
  return width * width < vocabulary / 16 ? vocabulary / width : width;
}

function runningSum(x: Value): Value {
  return emit('CumSum', [x, x.graph.integers([2])], x.shape);
}

/** 1 where a ≤ b, else 0. */
function atMost(a: Value, b: Value, shape: Shape): Value {
  const [truth] = a.graph.node('LessOrEqual', [a, b], [{ shape, type: 'bool' }]);
  return toFloat(truth!);
}

function toFloat(x: Value): Value {
  return emit('Cast', [x], x.shape, { to: 1 });
}

function toInteger(x: Value): Value {
  return x.graph.node('Cast', [x], [{ shape: x.shape, type: 'int64' }], { to: 7 })[0]!;
}
