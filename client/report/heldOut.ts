import * as Plot from '@observablehq/plot';
import type { EvaluationSummary } from '../../activities/artifacts/evaluation.ts';
import { depthCurves, type DepthCurve } from './depthCurves.ts';
import { colors, type Datum, figure, share } from './drawing.ts';
import { percent, signed } from './format.ts';
import type { Html } from './html.ts';

/** Where the history browser shows them. */
const heldOutAnswers = '#from=heldOut';

/** Accuracy at k = 0…K of the first and the last evaluation (ExIt §5.3). */
export function accuracyByDepth(evaluations: EvaluationSummary[]): Html {
  const first = evaluations[0]!;
  const last = evaluations.at(-1)!;
  const curve = (name: string, label: string, color: string, evaluation: EvaluationSummary): DepthCurve => ({
    name,
    label: `${label} (${gained(evaluation)})`,
    color,
    depths: evaluation.depths.map(({ k, accuracy, low, high }) => ({ k, value: accuracy, low, high })),
  });
  return depthCurves({
    title: 'Held-out accuracy by self-iteration depth',
    note: `${first.tasks} held-out problems, ${first.samplesPerTask} ${first.samplesPerTask === 1 ? 'answer' : 'answers'} each. At k = 0 the first answer; at each further k the policy improves its own latest answer, without seeing any reward. Bars are 95 % intervals.`,
    curves: [
      curve('before', 'before training', colors.before, first),
      ...(first === last ? [] : [curve('after', `after generation ${last.generation}`, colors.after, last)]),
    ],
    href: heldOutAnswers,
  });
}

const gained = ({ delta: { value, low, high } }: EvaluationSummary): string => {
  const [gain, from, to] = [value, low, high].map((share) => signed(share * 100, 1));
  return `Δ ${gain} points, ${from} to ${to}`;
};

/** Held-out accuracy as training goes on, when it was measured more than twice. */
export function accuracyByGeneration(evaluations: EvaluationSummary[]): Html {
  const data = evaluations.flatMap(({ generation, depths }) => {
    const [first, last] = [depths[0]!, depths.at(-1)!];
    return [
      { x: generation, y: first.accuracy, series: 'first answer' },
      ...(last === first ? [] : [{ x: generation, y: last.accuracy, series: `after ${last.k} steps` }]),
    ];
  });
  const color = ({ series }: { series: string }) =>
    series === 'first answer' ? colors.base : colors.improve;
  return figure({
    title: 'Held-out accuracy over training',
    note: 'First answers, and the same answers after the policy improved them K times.',
    legend: [...new Set(data.map(({ series }) => series))].map((label) => ({
      label,
      color: color({ series: label }),
    })),
    plot: {
      x: { label: 'generation', tickFormat: 'd' },
      y: share,
      marks: [
        Plot.ruleY([0]),
        Plot.line(data, { x: 'x', y: 'y', z: 'series', stroke: color, strokeWidth: 1.8 }),
        Plot.dot(data, {
          x: 'x',
          y: 'y',
          fill: color,
          r: 3.5,
          title: ({ x, y, series }: Datum) => `generation ${x}, ${series}: ${percent(y)}`,
          href: () => heldOutAnswers,
        }),
      ],
    },
  });
}
