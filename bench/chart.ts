import * as Plot from '@observablehq/plot';
import { drawing } from '../client/report/drawing.ts';
import { ratio, type Result } from './compare.ts';
import type { Curve } from './scaling.ts';

interface Bar {
  label: string;
  value: number;
  /** The value, as it stands beside the bar. */
  text: string;
}

/** How many times better ours is than each peer: bars from 1 on a logarithmic axis. */
export function ratioChart(results: readonly Result[]): string {
  const sections = results.map((result) => {
    const bars = Object.entries(result.peers).map(([label, value]): Bar => {
      const times = ratio(result, value);
      return { label, value: times, text: `${times.toFixed(2)} ×` };
    });
    return [result.name, bars] as const;
  });
  return bars(sections, 1, {
    type: 'log',
    label: 'reiterate is so many times better (same machine, same run)',
    ticks: 6,
    tickFormat: (value: number) => `${value} ×`,
  });
}

/** Tokens a second over one thing at a time. */
export function curveChart(curves: readonly Curve[]): string {
  const sections = curves.map(({ name, points }) => {
    const bars = points.map(({ at, tokensPerSecond }): Bar => ({
      label: at,
      value: tokensPerSecond,
      text: tokensPerSecond.toPrecision(3),
    }));
    return [name, bars] as const;
  });
  return bars(sections, 0, { label: 'tokens a second' });
}

/** An SVG file on a light ground: bars that begin at `origin`, in sections with a heading. */
function bars(
  sections: readonly (readonly [heading: string, bars: readonly Bar[]])[],
  origin: number,
  axis: Plot.ScaleOptions,
): string {
  const shown = sections.filter(([, { length }]) => length > 0);
  const placed = shown.flatMap(([heading, list]) =>
    list.map((bar) => ({ ...bar, row: `${heading}: ${bar.label}` })),
  );
  const headings = shown.map(([heading]) => heading);
  const rows = shown.flatMap(([heading, list]) => [
    heading,
    ...list.map(({ label }) => `${heading}: ${label}`),
  ]);
  const values = placed.map(({ value }) => value);
  const left = { frameAnchor: 'left', textAnchor: 'start', y: 'row' } as const;
  const svg = drawing({
    width: 760,
    height: 60 + 24 * rows.length,
    marginLeft: 240,
    marginRight: 60,
    marginTop: 10,
    marginBottom: 40,
    style: { background: 'white', color: '#222222', fontFamily: 'sans-serif', fontSize: '12px' },
    x: {
      domain: [Math.min(origin, ...values) * 0.9, Math.max(2 * origin, ...values)],
      labelAnchor: 'center',
      labelArrow: 'none',
      grid: true,
      ...axis,
    },
    y: { domain: rows, axis: null, padding: 0.2 },
    marks: [
      Plot.barX(placed, {
        y: 'row',
        x1: origin,
        x2: 'value',
        fill: ({ value }: Bar) => (value < origin ? '#c8702a' : '#2f6f9f'),
      }),
      Plot.ruleX([origin]),
      Plot.text(headings, { ...left, y: (heading: string) => heading, dx: -230, fontWeight: 'bold' }),
      Plot.text(placed, { ...left, dx: -222, text: 'label' }),
      Plot.text(placed, {
        y: 'row',
        x: ({ value }: Bar) => Math.max(origin, value),
        dx: 6,
        textAnchor: 'start',
        text: 'text',
      }),
    ],
  });
  return svg.replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"') + '\n';
}
