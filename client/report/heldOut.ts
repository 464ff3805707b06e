import * as Plot from '@observablehq/plot';
import type { EvaluationSummary } from '../../activities/artifacts/evaluation.ts';
import { colors, type Datum, figure, share } from './drawing.ts';
import { percent, signed } from './format.ts';
import type { Html } from './html.ts';

/** Where the history browser shows them. */
const heldOutAnswers = '#from=heldOut';

/** Accuracy at k = 0…K of the first and the last evaluation (ExIt §5.3). */
export function accuracyByDepth(evaluations: EvaluationSummary[]): Html {
  const first = evaluations[0]!;
  const last = evaluations.at(-1)!;
  const both = first === last ? [first] : [first, last];
  const data = both.flatMap((evaluation, index) =>
    evaluation.depths.map((depth) => ({
      ...depth,
      series: evaluation === last && index === both.length - 1 && both.length > 1 ? 'after' : 'before',
      // Side by side, so that the intervals can be told apart.
      x: depth.k + (index - (both.length - 1) / 2) * 0.12,
    })),
  );
  const color = ({ series }: { series: string }) => (series === 'after' ? colors.after : colors.before);
  const deepest = Math.max(...data.map(({ k }) => k));
  return figure({
    title: 'Held-out accuracy by self-iteration depth',
    note: `${first.tasks} held-out problems, ${first.samplesPerTask} ${first.samplesPerTask === 1 ? 'answer' : 'answers'} each. At k = 0 the first answer; at each further k the policy improves its own latest answer, without seeing any reward. Bars are 95 % intervals.`,
    legend:
      both.length > 1
        ? [
            { label: `before training (${gained(first)})`, color: colors.before },
            {
              label: `after generation ${last.generation} (${gained(last)})`,
              color: colors.after,
            },
          ]
        : [],
    plot: {
      x: {
        label: 'k',
        domain: [-0.3, deepest + 0.3],
        ticks: Array.from({ length: deepest + 1 }, (_, k) => k),
        tickFormat: 'd',
      },
      y: share,
      marks: [
        Plot.ruleY([0]),
        Plot.ruleX(data, {
          x: 'x',
          y1: 'low',
          y2: 'high',
          stroke: color,
          strokeWidth: 3,
          strokeOpacity: 0.35,
        }),
        Plot.line(data, { x: 'x', y: 'accuracy', z: 'series', stroke: color, strokeWidth: 1.8 }),
        Plot.dot(data, {
          x: 'x',
          y: 'accuracy',
          fill: color,
          r: 3.5,
          title: ({ k, accuracy, low, high, series }: (typeof data)[number]) =>
            `${series}, k = ${k}: ${percent(accuracy)} (${percent(low)} to ${percent(high)})`,
          href: () => heldOutAnswers,
        }),
      ],
    },
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
