import type { AblationTable } from '../../activities/artifacts/ablation.ts';
import {
  armsOf,
  comparedDepths,
  failedLine,
  movementCells,
  movementTitles,
  trainingCells,
  trainingTitles,
} from '../ablation.ts';
import { duration, percent, signed, whole } from './format.ts';
import { type Html, html } from './html.ts';

/** `−7.6 (−14.2 to −1.0)`, in percentage points. */
const inPoints = ({ value, low, high }: { value: number; low: number; high: number }) =>
  `${signed(100 * value, 1)} (${signed(100 * low, 1)} to ${signed(100 * high, 1)})`;

/** Whether steps still change answers, and how far they reach. */
export function movementTable(table: AblationTable, set: string): Html {
  const arms = table.sets[set]!;
  return html`<figure class="table">
    <figcaption>
      <h3>What steps still change</h3>
      <p>
        Same answer again: steps that repeat the answer before, in the mean. Right at some k: what always
        keeping the best iterate would give, which only a judge could.
      </p>
    </figcaption>
    <table>
      <thead>
        <tr>
          <th>arm</th>
          ${movementTitles.map((title) => html`<th>${title}</th>`)}
          <th>right at k = 0</th>
        </tr>
      </thead>
      <tbody>
        ${armsOf(table)
          .filter((name) => arms[name])
          .map(
            (name) =>
              html`<tr>
                <td>${name}</td>
                ${movementCells(arms[name]!).map((cell) => html`<td>${cell}</td>`)}
                <td>${percent(arms[name]!.depths[0]!.accuracy.value)}</td>
              </tr>`,
          )}
      </tbody>
    </table>
  </figure>`;
}

/** Accuracy at the depths a reader compares, and what was corrected and broken. */
export function accuracyTable(table: AblationTable, set: string): Html {
  const arms = table.sets[set]!;
  const last = Math.max(...Object.values(arms).map(({ depths }) => depths.length - 1));
  const shown = comparedDepths(last);
  const failed = failedLine(table, set);
  return html`<figure class="table">
    <figcaption>
      <h3>Accuracy, ± standard deviation over seeds</h3>
      <p>Corrected: problems answered better at k = ${last} than at k = 0. Broken: worse. Over all seeds.</p>
      ${failed !== null && html`<p class="bad">${failed}.</p>`}
    </figcaption>
    <table>
      <thead>
        <tr>
          <th>arm</th>
          ${shown.map((k) => html`<th>k = ${k}</th>`)}
          <th>Δ, points</th>
          <th>corrected, broken</th>
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
            </tr>`;
          })}
      </tbody>
    </table>
  </figure>`;
}

/** What the other arms have more than the first. */
export function differences(table: AblationTable, set: string): Html | false {
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

/** How the arms were trained. */
export function trainingTable(table: AblationTable): Html {
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

/** What their runs cost. */
export function costTable(table: AblationTable): Html {
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
