import * as Plot from '@observablehq/plot';
import { figure, share } from './drawing.ts';
import { percent } from './format.ts';
import type { Html } from './html.ts';

/** Accuracy at each k, with its interval. */
export interface DepthCurve {
  name: string;
  color: string;
  depths: { k: number; value: number; low: number; high: number }[];
  /** In the legend, if not the name. */
  label?: string;
}

interface DepthFigure {
  title: string;
  note: string;
  curves: DepthCurve[];
  /** Where a point leads. */
  href?: string;
}

/** Accuracy at k = 0…K (ExIt §5.3), the curves side by side at each k, so that their intervals can be told apart. */
export function depthCurves({ title, note, curves, href }: DepthFigure): Html {
  const step = Math.min(0.12, 0.4 / curves.length);
  const data = curves.flatMap(({ name, color, depths }, index) =>
    depths.map((depth) => ({ ...depth, name, color, x: depth.k + (index - (curves.length - 1) / 2) * step })),
  );
  const deepest = Math.max(...data.map(({ k }) => k));
  return figure({
    title,
    note,
    legend: curves.length > 1 ? curves.map(({ name, label = name, color }) => ({ label, color })) : [],
    plot: {
      x: {
        label: 'k',
        domain: [-0.4, deepest + 0.4],
        ticks: Array.from({ length: deepest + 1 }, (_, k) => k),
        tickFormat: 'd',
      },
      y: { ...share, domain: [0, Math.min(1, Math.max(...data.map(({ high }) => high)) + 0.05)] },
      marks: [
        Plot.ruleY([0]),
        Plot.ruleX(data, {
          x: 'x',
          y1: 'low',
          y2: 'high',
          stroke: 'color',
          strokeWidth: 2.5,
          strokeOpacity: 0.3,
        }),
        Plot.line(data, { x: 'x', y: 'value', z: 'name', stroke: 'color', strokeWidth: 1.8 }),
        Plot.dot(data, {
          x: 'x',
          y: 'value',
          fill: 'color',
          r: 3,
          title: ({ k, value, low, high, name }: (typeof data)[number]) =>
            `${name}, k = ${k}: ${percent(value)} (${percent(low)} to ${percent(high)})`,
          ...(href !== undefined && { href: () => href }),
        }),
      ],
    },
  });
}
