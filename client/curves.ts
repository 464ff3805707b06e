import asciichart from 'asciichart';
import type { RunProgress } from '../workflows/contract/progress.ts';
import { percent, table } from './terminal.ts';

/**
 * Mean reward by generation as a terminal plot, reward on a fixed scale from 0 to 1 so that two runs compare.
 *
 * @param rewards of generations `first`, `first` + 1, …; at least one
 */
export function rewardCurve(rewards: readonly number[], first: number, width: number, height = 8): string[] {
  const axis = 7; // columns asciichart takes for `0.00 ┤`, and its margin
  const columns = width - axis;
  const points = resample(rewards, columns);
  const plot = asciichart.plot(points, {
    height,
    min: 0,
    max: 1,
    format: (value: number) => value.toFixed(2).padStart(5),
  });
  const last = first + rewards.length - 1;
  const line = plot.split('\n').map((row) => row.trimEnd());
  const ends =
    rewards.length === 1
      ? String(first)
      : `${first}${String(last).padStart(points.length - String(first).length)}`;
  return [...line, `${' '.repeat(axis)}${ends}`];
}

/** As many points as there are columns: straight lines between few values, means of neighbours of many. */
export function resample(values: readonly number[], columns: number): number[] {
  if (values.length <= 1) return Array.from({ length: Math.min(columns, 2) }, () => values[0] ?? 0);
  if (values.length > columns)
    return Array.from({ length: columns }, (_, column) => {
      const from = Math.floor((column * values.length) / columns);
      const to = Math.max(from + 1, Math.floor(((column + 1) * values.length) / columns));
      const part = values.slice(from, to);
      return part.reduce((sum, value) => sum + value, 0) / part.length;
    });
  const perStep = Math.max(1, Math.floor((columns - 1) / (values.length - 1)));
  const points = [values[0] ?? 0];
  for (let index = 1; index < values.length; index++) {
    const before = values[index - 1] ?? 0;
    const after = values[index] ?? 0;
    for (let part = 1; part <= perStep; part++) points.push(before + ((after - before) * part) / perStep);
  }
  return points;
}

/** Held-out accuracy at k = 0…K, one line an evaluation; the change from the first to the last at the end. */
export function accuracyTable(evaluations: RunProgress['evaluations']): string[] {
  const before = evaluations.at(0);
  const after = evaluations.at(-1);
  if (!before || !after) return [];
  const depths = Math.max(...evaluations.map(({ accuracy }) => accuracy.length));
  const row = (label: string, cells: readonly string[]) => [label, ...cells];

  const lines = evaluations.map(({ generation, accuracy }) => row(named(generation), accuracy.map(percent)));
  if (after !== before)
    lines.push(
      row(
        'change',
        after.accuracy.map((value, k) => signed(value - (before.accuracy[k] ?? 0))),
      ),
    );
  return table(
    [
      { title: 'held-out accuracy', align: 'left' },
      ...Array.from({ length: depths }, (_, k) => ({ title: `k=${k}`, align: 'right' as const })),
    ],
    lines,
  );
}

function named(generation: number): string {
  return generation === 0 ? 'before training' : `generation ${generation}`;
}

function signed(share: number): string {
  return `${share >= 0 ? '+' : '−'}${(100 * Math.abs(share)).toFixed(1)}  `;
}
