import type { AblationTable, ArmTraining } from '../activities/artifacts/ablation.ts';
import { signed } from './report/format.ts';
import { percent, table } from './terminal.ts';

type ArmDepths = AblationTable['sets'][string][string]['depths'];

/** The depths a reader compares: 0, 1, 2, 4, 8 … and the last (ExIt §5.3). */
export function comparedDepths(last: number): number[] {
  const powers = Array.from({ length: 8 }, (_, power) => 2 ** power).filter((k) => k < last);
  return [0, ...powers, ...(last > 0 ? [last] : [])];
}

/** Arms in the order of the table, the untrained policy before them. */
export function armsOf({ arms }: AblationTable): string[] {
  return ['untrained', ...arms];
}

/** Which arms have answers to a set of problems that could not be graded, and how many; null when none has. */
export function failedLine(table: AblationTable, set: string): string | null {
  const failed = armsOf(table).flatMap((name) => {
    const depths = table.sets[set]?.[name]?.depths ?? [];
    const answers = depths.reduce((sum, { failed = 0 }) => sum + failed, 0);
    return answers > 0 ? [`${name} ${answers}`] : [];
  });
  return failed.length === 0
    ? null
    : `Not graded, counted as wrong, over all depths and seeds: ${failed.join(', ')}`;
}

/** `41.0 ± 1.2` for each depth in `shown`: accuracy and its standard deviation over seeds, in percent. */
export function accuracyCells(depths: ArmDepths, shown: readonly number[]): string[] {
  return shown.map((k) => {
    const { accuracy, deviation } = depths[k]!;
    return deviation === null
      ? percent(accuracy.value)
      : `${(100 * accuracy.value).toFixed(1)} ± ${(100 * deviation).toFixed(1)}`;
  });
}

/** `−7.6 (−14.2 to −1.0)`: a change and its interval, in percentage points. */
export function changeCell({ value, low, high }: { value: number; low: number; high: number }): string {
  const inPoints = (change: number) => signed(100 * change, 1);
  return `${inPoints(value)} (${inPoints(low)} to ${inPoints(high)})`;
}

/** Steps that repeat the answer before, in the mean over k ≥ 1, and chains that were right at some k; see `movement`. */
export function movementCells({ depths }: { depths: ArmDepths }): string[] {
  const unchanged = depths.flatMap((depth) => depth.unchanged ?? []);
  const reached = depths.at(-1)?.reached;
  return [
    unchanged.length === 0
      ? '–'
      : percent(unchanged.reduce((sum, share) => sum + share, 0) / unchanged.length),
    reached === undefined ? '–' : percent(reached),
  ];
}

export const movementTitles = ['same answer again', 'right at some k'];

/** How an arm was trained, as a row of cells under `trainingTitles`. */
export function trainingCells({
  withSignal,
  entropy,
  bufferSize,
  bufferMeanDepth,
  bufferMaxDepth,
  bufferMeanScore,
  effectiveSampleSize,
}: ArmTraining): string[] {
  const buffered = (cell: string) => (bufferSize === 0 ? '–' : cell);
  return [
    percent(withSignal),
    entropy === null ? '–' : entropy.toFixed(2),
    buffered(bufferSize.toFixed(0)),
    buffered(`${bufferMeanDepth.toFixed(2)}, ${bufferMaxDepth.toFixed(1)}`),
    buffered(bufferMeanScore.toFixed(3)),
    effectiveSampleSize === null ? '–' : effectiveSampleSize.toFixed(0),
  ];
}
export const trainingTitles = ['with signal', 'entropy', 'buffer', 'depth mean, max', 'mean S', 'ESS'];

/** An ablation as text: a table for each set of problems, and one of the training. */
export function ablationView(ablation: AblationTable): string[] {
  const right = (title: string) => ({ title, align: 'right' as const });
  const sets = Object.entries(ablation.sets).flatMap(([set, arms]) => {
    const last = Math.max(...Object.values(arms).map(({ depths }) => depths.length - 1));
    const shown = comparedDepths(last);
    const failed = failedLine(ablation, set);
    return [
      `${set}: accuracy, ± standard deviation over ${ablation.seeds.length} seeds`,
      ...table(
        [
          { title: 'arm', align: 'left' },
          ...shown.map((k) => right(`k=${k}`)),
          right(`Δ from 0 to ${last}, 95 % interval`),
          right('corrected'),
          right('broken'),
        ],
        armsOf(ablation).flatMap((name) => {
          const arm = arms[name];
          if (!arm) return [];
          const end = arm.depths[last]!;
          return [
            [
              name,
              ...accuracyCells(arm.depths, shown),
              changeCell(end.change),
              String(end.corrected),
              String(end.broken),
            ],
          ];
        }),
      ),
      ...(failed === null ? [] : [failed]),
      '',
      ...table(
        [{ title: 'arm', align: 'left' }, ...movementTitles.map(right)],
        armsOf(ablation).flatMap((name) => (arms[name] ? [[name, ...movementCells(arms[name])]] : [])),
      ),
      '',
    ];
  });
  return [
    ...sets,
    'training: groups with signal, entropy of the last update, the task buffer at the end',
    ...table(
      [{ title: 'arm', align: 'left' }, ...trainingTitles.map(right)],
      ablation.arms.flatMap((name) => {
        const training = ablation.training[name];
        return training ? [[name, ...trainingCells(training)]] : [];
      }),
    ),
  ];
}
