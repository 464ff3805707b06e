import * as Plot from '@observablehq/plot';
import type { DynamicsRow, PointRow } from '../../activities/artifacts/records.ts';
import { colors, figure, lines, measure, stacked } from './drawing.ts';
import type { Html } from './html.ts';

/** Colors of an ordered thing, from early or shallow ones by those between to late or deep ones. */
const scale = ['var(--yellow)', 'var(--teal)', 'var(--purple)'] as const;

/** @param share in [0, 1]. */
function between(share: number): string {
  const [from, to] = share < 0.5 ? [scale[0], scale[1]] : [scale[1], scale[2]];
  return `color-mix(in oklab, ${to} ${Math.round(100 * (share < 0.5 ? 2 * share : 2 * share - 1))}%, ${from})`;
}

/** Deeper prompts are counted together. */
const deepest = 5;

/** What training went through, generation by generation (ExIt §5.3). */
export function dynamicsFigures(rows: DynamicsRow[], curriculum: boolean): Html[] {
  const has = (value: (row: DynamicsRow) => number | null) => rows.some((row) => value(row) !== null);
  return [
    ...(curriculum ? [sources(rows), depths(rows)] : []),
    ...(has(({ meanRecency }) => meanRecency) ? [recency(rows)] : []),
    distinct(rows),
    ...(curriculum ? [learnabilities(rows), ...bufferFigures(rows)] : []),
    ...(rows.some(({ meanTurn }) => meanTurn > 0)
      ? [
          measure(rows, {
            title: 'Starting turn',
            note: 'Mean turn of its episode that a prompt starts from; 0 is the first.',
            size: 'small',
            value: ({ meanTurn }) => meanTurn,
          }),
        ]
      : []),
    ...(has(({ meanGoldSteps }) => meanGoldSteps)
      ? [
          measure(rows, {
            title: 'Steps of the gold solutions',
            note: 'Mean over the prompts: whether the curriculum moves to harder base tasks.',
            size: 'small',
            value: ({ meanGoldSteps }) => meanGoldSteps,
          }),
        ]
      : []),
    ...(has(({ pairwiseL2 }) => pairwiseL2) ? spread(rows) : []),
  ];
}

function sources(rows: DynamicsRow[]): Html {
  return stacked(
    rows,
    'Where the prompts came from',
    'Base tasks of the task set, and what was selected from the task buffer: base tasks again, answers to improve or to diverge from.',
    ({ prompts, fromBuffer, improve, diverge }) => ({
      'task set': prompts * (1 - fromBuffer),
      'buffer, base': Math.round(prompts * (fromBuffer - improve - diverge)),
      improve: prompts * improve,
      diverge: prompts * diverge,
    }),
    {
      'task set': colors.before,
      'buffer, base': colors.base,
      improve: colors.improve,
      diverge: colors.diverge,
    },
    'small',
  );
}

function depths(rows: DynamicsRow[]): Html {
  const last = Math.min(deepest, Math.max(...rows.map(({ maxDepth }) => maxDepth)));
  const names = Array.from({ length: last + 1 }, (_, k) => (k === deepest ? `k ≥ ${k}` : `k = ${k}`));
  return stacked(
    rows,
    'Depth of the prompts',
    'Prompts by the k of the answer they ask for: each improves on one that training itself produced.',
    ({ promptsByDepth }) =>
      Object.fromEntries(
        names.map((name, k) => [
          name,
          k === deepest
            ? promptsByDepth.slice(k).reduce((sum, prompts) => sum + prompts, 0)
            : (promptsByDepth[k] ?? 0),
        ]),
      ),
    Object.fromEntries(names.map((name, k) => [name, between(k / Math.max(1, last))])),
    'small',
  );
}

function recency(rows: DynamicsRow[]): Html {
  return lines(rows, {
    title: 'Age of what was selected',
    note: 'Generations since the instances taken from the task buffer had entered it. Growing steadily, the buffer is frozen.',
    palette: { oldest: colors.bad, mean: colors.reward },
    values: ({ maxRecency, meanRecency }) => ({ oldest: maxRecency, mean: meanRecency }),
  });
}

function distinct(rows: DynamicsRow[]): Html {
  const { baseTasks } = rows.at(-1)!;
  return lines(rows, {
    title: 'Distinct training instances so far',
    note: `A history of its own is an instance of its own: self-iteration makes more of ${baseTasks} base tasks (dashed).`,
    palette: { instances: colors.reward, 'base tasks': colors.bad },
    values: ({ instancesSoFar, baseTasksSoFar }) => ({
      instances: instancesSoFar,
      'base tasks': baseTasksSoFar,
    }),
    marks: [Plot.ruleY([baseTasks], { stroke: 'currentColor', strokeOpacity: 0.6, strokeDasharray: '4 3' })],
  });
}

function learnabilities(rows: DynamicsRow[]): Html {
  return lines(rows, {
    title: 'Learnability by step',
    note: 'Mean S of the groups of a generation: what first answers, improve and diverge steps have to teach.',
    palette: { base: colors.base, improve: colors.improve, diverge: colors.diverge },
    values: (row) => ({
      base: row.learnabilityBase,
      improve: row.learnabilityImprove,
      diverge: row.learnabilityDiverge,
    }),
  });
}

function bufferFigures(rows: DynamicsRow[]): Html[] {
  return [
    lines(rows, {
      title: 'Learnability in the task buffer',
      note: 'S, the variance of a group’s rewards: 0 is all right or all wrong, 0.25 a coin flip. Line: median; areas: quartiles and extremes.',
      palette: { median: colors.reward },
      values: ({ scoreMedian }) => ({ median: scoreMedian }),
      marks: [
        area(rows, ({ scoreLeast, scoreMost }) => [scoreLeast, scoreMost]),
        area(rows, ({ scoreLowerQuartile, scoreUpperQuartile }) => [scoreLowerQuartile, scoreUpperQuartile]),
      ],
    }),
    lines(rows, {
      title: 'Age of the scores',
      note: 'Generations since S was measured, or inherited from a parent. Line: median; areas: quartiles and extremes.',
      palette: { median: colors.reward },
      values: ({ scoreAgeMedian }) => ({ median: scoreAgeMedian }),
      marks: [
        area(rows, ({ scoreAgeLeast, scoreAgeMost }) => [scoreAgeLeast, scoreAgeMost]),
        area(rows, (row) => [row.scoreAgeLowerQuartile, row.scoreAgeUpperQuartile]),
      ],
    }),
    measure(rows, {
      title: 'Base tasks in the task buffer',
      note: 'Distinct ones among its entries: few means that it turns in a circle.',
      size: 'small',
      value: ({ bufferBaseTasks }) => bufferBaseTasks,
    }),
  ];
}

function area(rows: DynamicsRow[], ends: (row: DynamicsRow) => [number | null, number | null]): Plot.Markish {
  const data = rows.flatMap((row) => {
    const [low, high] = ends(row);
    return low === null || high === null ? [] : [{ x: row.generation, low, high }];
  });
  return Plot.areaY(data, { x: 'x', y1: 'low', y2: 'high', fill: colors.reward, fillOpacity: 0.18 });
}

function spread(rows: DynamicsRow[]): Html[] {
  return [
    measure(rows, {
      title: 'Distance between answers',
      note: 'Mean L2 distance of two answers of a generation in the embedding space; falling, they become alike.',
      size: 'small',
      value: ({ pairwiseL2 }) => pairwiseL2,
    }),
    measure(rows, {
      title: 'Angle between answers',
      note: 'The same as cosine distance, which lengths do not matter to.',
      size: 'small',
      value: ({ pairwiseCosine }) => pairwiseCosine,
    }),
  ];
}

/**
 * The answers of a run in the plane, twice: when they were given, and whether they were right.
 *
 * @param browsable rollouts that the page can show; the others lead to their generation.
 */
export function projectionFigures(points: PointRow[], browsable: ReadonlySet<string>): Html[] {
  if (points.length === 0) return [];
  const generations = points.map(({ generation }) => generation);
  const [first, last] = [Math.min(...generations), Math.max(...generations)];
  const map = (
    title: string,
    note: string,
    legend: { label: string; color: string }[],
    fill: (point: PointRow) => string,
  ) =>
    figure({
      title,
      note,
      legend,
      size: 'map',
      plot: {
        x: { axis: null },
        y: { axis: null },
        margin: 8,
        marginLeft: 8,
        marginBottom: 8,
        marks: [
          Plot.dot(points, {
            x: 'x',
            y: 'y',
            r: 2.6,
            fill,
            fillOpacity: 0.75,
            title: ({ rolloutId, step, depth, family, quality }: PointRow) =>
              `${rolloutId}: ${step}, depth ${depth}, ${family}, quality ${quality ?? 'unknown'}`,
            href: ({ rolloutId, generation }: PointRow) =>
              browsable.has(rolloutId) ? `#rollout=${rolloutId}` : `#generation=${generation}`,
          }),
        ],
      },
    });
  return [
    map(
      'Answers in the embedding space, by generation',
      `UMAP of ${points.length} answers: near ones are alike; directions and the distances between clusters mean nothing. Select one to read it.`,
      [
        { label: `generation ${first}`, color: between(0) },
        { label: 'half way', color: between(0.5) },
        { label: `generation ${last}`, color: between(1) },
      ],
      ({ generation }) => between((generation - first) / Math.max(1, last - first)),
    ),
    map(
      'The same answers, by quality',
      'Where right and wrong answers lie.',
      [
        { label: 'right', color: colors.good },
        { label: 'wrong', color: colors.bad },
      ],
      ({ quality }) => ((quality ?? 0) >= 0.5 ? colors.good : colors.bad),
    ),
  ];
}
