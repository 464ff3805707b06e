import { ratio, type Result } from './compare.ts';
import type { Machine } from './machine.ts';
import type { Parity } from './peft-parity.ts';
import type { Profile } from './profile.ts';
import type { Curve } from './scaling.ts';

/** Everything a run measured, as it is kept in JSON. `schema` changes when the meaning of a field does. */
export interface Output {
  schema: 1;
  machine: Machine;
  rounds: number;
  /** What each peer computes with: matrix libraries and instructions. */
  libraries: Record<string, string>;
  results: Result[];
  /** Peers that did not start, and why. */
  absent: Record<string, string>;
  curves?: Curve[];
  profiles?: Profile[];
  parity?: Parity;
}

/** The same for a terminal, and for docs/performance.md. */
export function textOf({ machine, libraries, results, curves, profiles = [], parity }: Output): string {
  const { processor, cores, threads, instructions, versions } = machine;
  const blocks = [
    [
      `${processor}, ${cores} cores, ${threads} threads, ${instructions.join(' ')}`,
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
      ...Object.entries(libraries).map(([name, library]) => `${name}: ${library}`),
    ].join('\n'),
    ...(results.length > 0 ? [table(results)] : []),
    ...results.flatMap(gradientLines),
    ...(curves ? [curveTable(curves)] : []),
    ...profiles.map(profileLines),
    ...(parity ? [parityLine(parity)] : []),
  ];
  return blocks.join('\n\n');
}

function table(results: Result[]): string {
  const rows = results.flatMap((result) => [
    [result.name, 'reiterate', result.ours.toPrecision(4), result.unit, ''],
    ...Object.entries(result.peers).map(([name, value]) => [
      '',
      name,
      value.toPrecision(4),
      result.unit,
      `${ratio(result, value).toFixed(2)} ×`,
    ]),
    ...Object.entries(result.bounds).map(([name, value]) => [
      '',
      name,
      value.toPrecision(4),
      result.unit,
      `${(100 * ratio(result, value)).toFixed(0)} %`,
    ]),
    ...(result.note === undefined ? [] : [['', result.note, '', '', '']]),
  ]);
  return columns([['benchmark', 'program', 'median', '', 'ours is'], ...rows]);
}

function curveTable(curves: Curve[]): string {
  const rows = curves.flatMap(({ name, points }) =>
    points.map(({ at, tokensPerSecond }, i) => [i === 0 ? name : '', at, tokensPerSecond.toPrecision(4)]),
  );
  return columns([['scaling', '', 'tok/s'], ...rows]);
}

function columns(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function gradientLines({ name, gradients = {} }: Result): string[] {
  return Object.entries(gradients).map(
    ([peer, { cosine, smallestCosine, norms, agrees }]) =>
      `gradient of ${name} beside ${peer}: ${agrees ? 'agrees' : 'DIFFERS'}; cosine ${cosine.toFixed(8)}, ` +
      `of the worst tensor ${smallestCosine.toFixed(8)}; our norm is ${norms.toFixed(6)} of theirs`,
  );
}

function profileLines({ name, milliseconds, share }: Profile): string {
  const shares = Object.entries(share).map(
    ([kind, part]) => `  ${(100 * part).toFixed(1).padStart(5)} %  ${kind}`,
  );
  return [`${name}: ${milliseconds.toFixed(0)} ms a run`, ...shares].join('\n');
}

function parityLine({ tokens, adapted, base, effect, agrees }: Parity): string {
  const gaps = `with the adapter ${adapted.toExponential(1)}, without ${base.toExponential(1)}`;
  return (
    `parity with PEFT: ${agrees ? 'agrees' : 'DIFFERS'}; largest gap over ${tokens} tokens ${gaps}; ` +
    `the adapter moves log-probs by up to ${effect.toPrecision(2)}`
  );
}
