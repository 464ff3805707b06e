import * as Plot from '@observablehq/plot';
import type { AblationTable } from '../../activities/artifacts/ablation.ts';
import { armsOf } from '../ablation.ts';
import { accuracyTable, costTable, differences, movementTable, trainingTable } from './ablationTables.ts';
import { page } from './document.ts';
import { depthCurves } from './depthCurves.ts';
import { figure, share } from './drawing.ts';
import { points } from './format.ts';
import { type Html, html } from './html.ts';

const palette = ['var(--blue)', 'var(--orange)', 'var(--green)', 'var(--purple)', 'var(--yellow)'];

/** The color of an arm; the untrained policy is grey. */
function colorOf({ arms }: AblationTable, name: string): string {
  return name === 'untrained' ? 'var(--grey)' : palette[arms.indexOf(name) % palette.length]!;
}

/** An ablation as one page that needs nothing else: no network, no script. */
export function ablationPage(table: AblationTable): string {
  return page(
    {
      kind: 'ablation',
      name: table.key,
      facts: [
        ['arms', table.arms.join(', ')],
        ['seeds', table.seeds.join(', ')],
      ],
    },
    html`<main>
        ${Object.keys(table.sets).map((set) => section(table, set))}
        <section>
          <h2>Training</h2>
          <div class="figures">${learningCurves(table)} ${costTable(table)}</div>
          ${trainingTable(table)}
        </section>
      </main>
      <footer>
        Made by Reiterate from the artifact store. Intervals are of a bootstrap over seeds and problems.
      </footer>`,
  );
}

function section(table: AblationTable, set: string): Html {
  return html`<section>
    <h2>Problems: ${set}</h2>
    <div class="figures">${accuracyByDepth(table, set)} ${changeByArm(table, set)}</div>
    ${accuracyTable(table, set)} ${movementTable(table, set)} ${differences(table, set)}
  </section>`;
}

/** Accuracy at k = 0…K, a line an arm. */
export function accuracyByDepth(table: AblationTable, set: string): Html {
  const arms = table.sets[set]!;
  return depthCurves({
    title: 'Accuracy by self-iteration depth',
    note: 'At k = 0 the first answer; at each further k the policy improves its latest answer without seeing a reward. Bars are 95 % intervals over seeds and problems.',
    curves: armsOf(table).flatMap((name) =>
      arms[name]
        ? [
            {
              name,
              color: colorOf(table, name),
              depths: arms[name].depths.map(({ k, accuracy }) => ({ k, ...accuracy })),
            },
          ]
        : [],
    ),
  });
}

/** What K steps are worth, an interval an arm. */
export function changeByArm(table: AblationTable, set: string): Html {
  const data = armsOf(table).flatMap((name) => {
    const end = table.sets[set]![name]?.depths.at(-1);
    return end ? [{ ...end.change, name, k: end.k }] : [];
  });
  const color = ({ name }: { name: string }) => colorOf(table, name);
  return figure({
    title: `Δ: accuracy at k = ${data[0]?.k ?? 0} less that at 0`,
    note: 'Right of the line self-iteration helps, left of it it ruins answers. 95 % intervals over seeds and problems.',
    plot: {
      marginLeft: 82,
      x: { label: null, tickFormat: '+.0%', grid: true, nice: true },
      y: { label: null, domain: data.map(({ name }) => name) },
      marks: [
        Plot.ruleX([0]),
        Plot.ruleY(data, {
          y: 'name',
          x1: 'low',
          x2: 'high',
          stroke: color,
          strokeWidth: 3,
          strokeOpacity: 0.4,
        }),
        Plot.dot(data, {
          x: 'value',
          y: 'name',
          fill: color,
          r: 4,
          title: ({ name, value, low, high }: (typeof data)[number]) =>
            `${name}: ${points(value)} (${points(low)} to ${points(high)})`,
        }),
      ],
    },
  });
}

/** Mean reward by generation, the mean over an arm's runs. */
export function learningCurves(table: AblationTable): Html {
  const data = table.arms.flatMap((name) => {
    const runs = table.rewards[name] ?? [];
    return (runs[0] ?? []).map((_, index) => {
      const values = runs.flatMap((rewards) => rewards[index] ?? []);
      return { x: index + 1, y: values.reduce((sum, value) => sum + value, 0) / values.length, name };
    });
  });
  const color = ({ name }: { name: string }) => colorOf(table, name);
  return figure({
    title: 'Mean reward by generation',
    note: 'Mean over seeds. Arms with a buffer choose what is neither always solved nor never, so their curves are of other prompts.',
    legend: table.arms.map((label) => ({ label, color: colorOf(table, label) })),
    plot: {
      x: { label: 'generation', tickFormat: 'd' },
      y: share,
      marks: [
        Plot.ruleY([0]),
        Plot.line(data, { x: 'x', y: 'y', z: 'name', stroke: color, strokeWidth: 1.8 }),
      ],
    },
  });
}
