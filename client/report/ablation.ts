import * as Plot from '@observablehq/plot';
import type { AblationTable } from '../../activities/artifacts/ablation.ts';
import {
  armsOf,
  comparedDepths,
  movementCells,
  movementTitles,
  failedLine,
  trainingCells,
  trainingTitles,
} from '../ablation.ts';
import { page } from './document.ts';
import { depthCurves } from './depthCurves.ts';
import { figure, share } from './drawing.ts';
import { duration, percent, points, signed, whole } from './format.ts';
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
          <div class="figures">${learningCurves(table)} ${cost(table)}</div>
          ${training(table)}
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
    ${accuracyTable(table, set)} ${differences(table, set)}
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

/** `−7.6 (−14.2 to −1.0)`, in percentage points. */
const inPoints = ({ value, low, high }: { value: number; low: number; high: number }) =>
  `${signed(100 * value, 1)} (${signed(100 * low, 1)} to ${signed(100 * high, 1)})`;

function accuracyTable(table: AblationTable, set: string): Html {
  const arms = table.sets[set]!;
  const last = Math.max(...Object.values(arms).map(({ depths }) => depths.length - 1));
  const shown = comparedDepths(last);
  const failed = failedLine(table, set);
  return html`<figure class="table">
    <figcaption>
      <h3>Accuracy, ± standard deviation over seeds</h3>
      <p>
        Corrected: problems answered better at k = ${last} than at k = 0. Broken: worse. Over all seeds. Same
        again: steps that repeat the answer before. Right at some k: what keeping the best iterate would give.
      </p>
      ${failed !== null && html`<p class="bad">${failed}.</p>`}
    </figcaption>
    <table>
      <thead>
        <tr>
          <th>arm</th>
          ${shown.map((k) => html`<th>k = ${k}</th>`)}
          <th>Δ, points</th>
          <th>corrected, broken</th>
          ${movementTitles.map((title) => html`<th>${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${armsOf(table)
          .filter((name) => arms[name])
          .map((name) => {
            const { depths } = arms[name]!;
            const end = depths[last]!;
            return html`<tr>
              <td>${name}</td>
              ${shown.map((k) => {
                const { accuracy, deviation } = depths[k]!;
                return html`<td>
                  ${deviation === null ? percent(accuracy.value) : `${(100 * accuracy.value).toFixed(1)} ± ${(100 * deviation).toFixed(1)}`}
                </td>`;
              })}
              <td>${inPoints(end.change)}</td>
              <td><span class="good">+${end.corrected}</span> <span class="bad">−${end.broken}</span></td>
              ${movementCells(arms[name]!).map((cell) => html`<td>${cell}</td>`)}
            </tr>`;
          })}
      </tbody>
    </table>
  </figure>`;
}

function differences(table: AblationTable, set: string): Html | false {
  const compared = table.arms.flatMap((name) => {
    const against = table.sets[set]![name]?.against;
    return against ? [{ name, against }] : [];
  });
  if (compared.length === 0) return false;
  const cell = (difference: (typeof compared)[number]['against']['first']) =>
    html`<td>${inPoints(difference)}, p ${difference.p.toFixed(3)}</td>`;
  return html`<figure class="table">
    <figcaption>
      <h3>More than ${table.arms[0]!}</h3>
      <p>The same seeds and problems resampled for both; p is two-sided and of one comparison alone.</p>
    </figcaption>
    <table>
      <thead>
        <tr>
          <th>arm</th>
          <th>at k = 0, points</th>
          <th>at the last k</th>
          <th>of Δ</th>
        </tr>
      </thead>
      <tbody>
        ${compared.map(
          ({ name, against }) =>
            html`<tr>
              <td>${name}</td>
              ${cell(against.first)} ${cell(against.last)} ${cell(against.change)}
            </tr>`,
        )}
      </tbody>
    </table>
  </figure>`;
}

function training(table: AblationTable): Html {
  return html`<figure class="table">
    <figcaption>
      <h3>How training went</h3>
      <p>
        Groups whose rewards differed; entropy of the last update, in nats a token; the task buffer at the
        end: entries, their depth, their learnability S, and how many of them the next selection is as good as
        evenly spread over.
      </p>
    </figcaption>
    <table>
      <thead>
        <tr>
          <th>arm</th>
          ${trainingTitles.map((title) => html`<th>${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${table.arms
          .filter((name) => table.training[name])
          .map(
            (name) =>
              html`<tr>
                <td>${name}</td>
                ${trainingCells(table.training[name]!).map((cell) => html`<td>${cell}</td>`)}
              </tr>`,
          )}
      </tbody>
    </table>
  </figure>`;
}

function cost(table: AblationTable): Html {
  return html`<figure class="table">
    <figcaption>
      <h3>What a run cost</h3>
      <p>Mean over an arm’s runs; seconds of all steps, on whatever machine made them.</p>
    </figcaption>
    <table>
      <thead>
        <tr>
          <th>arm</th>
          <th>prompt tokens</th>
          <th>sampled tokens</th>
          <th>time</th>
        </tr>
      </thead>
      <tbody>
        ${table.arms
          .filter((name) => table.cost[name])
          .map((name) => {
            const { promptTokens, completionTokens, seconds } = table.cost[name]!;
            return html`<tr>
              <td>${name}</td>
              <td>${whole(promptTokens)}</td>
              <td>${whole(completionTokens)}</td>
              <td>${duration(seconds)}</td>
            </tr>`;
          })}
      </tbody>
    </table>
  </figure>`;
}
