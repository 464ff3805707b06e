import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { Html, html } from './html.ts';

/** Colors are CSS variables, so that a figure follows the page into the dark. */
export const colors = {
  reward: 'var(--blue)',
  quality: 'var(--orange)',
  base: 'var(--blue)',
  improve: 'var(--green)',
  diverge: 'var(--purple)',
  draft: 'var(--grey)',
  'best draft': 'var(--teal)',
  before: 'var(--grey)',
  after: 'var(--blue)',
  good: 'var(--green)',
  bad: 'var(--orange)',
} as const;

const { document } = parseHTML('<html><body></body></html>');

/** Something measured at a generation. */
interface Measured {
  generation: number;
}

interface Figure {
  title: string;
  /** What the reader should see in it. */
  note: string;
  legend?: { label: string; color: string }[];
  plot: Plot.PlotOptions;
  size?: keyof typeof sizes;
}

/** Drawn between its size on a phone and on a screen, so that its text can be read on both. */
const sizes = {
  normal: { width: 440, height: 230 },
  flat: { width: 440, height: 160 },
  small: { width: 330, height: 165 },
  map: { width: 440, height: 340 },
};

/** A plot as SVG text. */
export function drawing(plot: Plot.PlotOptions): string {
  return Plot.plot({ document, ...plot }).outerHTML;
}

/** A titled figure, drawn to SVG now; the page needs no library. */
export function figure({ title, note, legend = [], plot, size = 'normal' }: Figure): Html {
  const svg = drawing({
    ...sizes[size],
    marginLeft: 46,
    marginBottom: 36,
    style: { fontSize: '12px', background: 'none' },
    ariaLabel: title,
    ...plot,
  });
  return html`<figure class="${size}">
    <figcaption>
      <h3>${title}</h3>
      <p>${note}</p>
      ${
        legend.length > 0 &&
        html`<ul class="legend">
          ${legend.map(({ label, color }) => html`<li><i style="background:${color}"></i>${label}</li>`)}
        </ul>`
      }
    </figcaption>
    ${new Html(svg)}
  </figure>`;
}

export interface Datum {
  x: number;
  y: number;
  series: string;
}

/** A line for each series; a dot opens its generation in the history browser. */
export function trend(
  data: Datum[],
  palette: Readonly<Record<string, string>>,
  label: (datum: Datum) => string,
): Plot.Markish[] {
  const stroke = (datum: Datum) => palette[datum.series] ?? 'currentColor';
  const channels = { x: 'x', y: 'y' } as const;
  return [
    Plot.line(data, { ...channels, z: 'series', stroke, strokeWidth: 1.8 }),
    Plot.dot(data, { ...channels, fill: stroke, r: data.length > 120 ? 1.5 : 2.8 }),
    // The part of a dot that a finger can hit.
    Plot.dot(data, {
      ...channels,
      r: 9,
      fill: 'transparent',
      title: label,
      href: (datum: Datum) => `#generation=${datum.x}`,
    }),
  ];
}

interface Measure<Point> {
  title: string;
  note: string;
  size: keyof typeof sizes;
  /** A d3 format of the axis, e.g. `.0%`. */
  tickFormat?: string;
  value: (point: Point) => number | null;
}

/** One measure by generation; generations without a value are left out. */
export function measure<Point extends Measured>(
  points: Point[],
  { title, note, size, tickFormat = '~r', value }: Measure<Point>,
): Html {
  const data = points.flatMap((point): Datum[] => {
    const y = value(point);
    return y === null ? [] : [{ x: point.generation, y, series: 'reward' }];
  });
  return figure({
    title,
    note,
    size,
    plot: {
      x: generationAxis(points),
      y: { label: null, zero: true, grid: true, ticks: 4, nice: true, tickFormat },
      marks: [
        Plot.ruleY([0]),
        ...trend(data, colors, ({ x, y }) => `generation ${x}: ${Number(y.toPrecision(4))}`),
      ],
    },
  });
}

/** Bars stacked by kind, one a generation. */
export function stacked<Point extends Measured>(
  points: Point[],
  title: string,
  note: string,
  counts: (point: Point) => Record<string, number>,
  palette: Readonly<Record<string, string>>,
  size: keyof typeof sizes = 'normal',
): Html {
  const data = points.flatMap((point) =>
    Object.entries(counts(point)).map(([series, y]) => ({ x: point.generation, y, series })),
  );
  const order = Object.keys(palette).filter((series) =>
    data.some((each) => each.series === series && each.y > 0),
  );
  return figure({
    title,
    note,
    legend: order.map((label) => ({ label, color: palette[label]! })),
    size,
    plot: {
      x: generationAxis(points),
      y: { label: null, grid: true, ticks: 5, tickFormat: '~s' },
      marks: [
        Plot.rectY(
          data.filter(({ y }) => y > 0),
          Plot.stackY({
            x1: ({ x }: Datum) => x - 0.4,
            x2: ({ x }: Datum) => x + 0.4,
            y: 'y',
            order,
            z: 'series',
            fill: ({ series }: Datum) => palette[series] ?? 'currentColor',
            title: ({ x, y, series }: Datum) => `generation ${x}, ${series}: ${Number(y.toFixed(1))}`,
            href: ({ x }: Datum) => `#generation=${x}`,
          }),
        ),
        Plot.ruleY([0]),
      ],
    },
  });
}

/** A measure with several lines, or a distribution: `marks` are drawn behind what can be selected. */
export function lines<Point extends Measured>(
  points: Point[],
  { title, note, palette, values, marks = [], tickFormat = '~r' }: Lines<Point>,
): Html {
  const data = points.flatMap((point) =>
    Object.entries(values(point)).flatMap(([series, y]): Datum[] =>
      y === null ? [] : [{ x: point.generation, y, series }],
    ),
  );
  return figure({
    title,
    note,
    legend: Object.entries(palette).map(([label, color]) => ({ label, color })),
    size: 'small',
    plot: {
      x: generationAxis(points),
      y: { label: null, zero: true, grid: true, ticks: 4, nice: true, tickFormat },
      marks: [
        Plot.ruleY([0]),
        ...marks,
        ...trend(
          data,
          palette,
          ({ x, y, series }) => `generation ${x}, ${series}: ${Number(y.toPrecision(4))}`,
        ),
      ],
    },
  });
}

interface Lines<Point> {
  title: string;
  note: string;
  /** Colors of the series, which are its keys. */
  palette: Readonly<Record<string, string>>;
  values: (point: Point) => Record<string, number | null>;
  marks?: Plot.Markish[];
  tickFormat?: string;
}

/** Generations as whole numbers, with room at both ends. */
export function generationAxis(points: Measured[]): Plot.ScaleOptions {
  const last = points.at(-1)?.generation ?? 1;
  return { label: 'generation', domain: [0.5, last + 0.5], ticks: wholeTicks(last), tickFormat: 'd' };
}

function wholeTicks(last: number): number[] {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((each) => last / each <= 8) ?? 5000;
  return last <= 8
    ? Array.from({ length: last }, (_, index) => index + 1)
    : Array.from({ length: Math.floor(last / step) }, (_, index) => (index + 1) * step);
}

export const share = { label: null, domain: [0, 1], tickFormat: '.0%', grid: true } as const;
