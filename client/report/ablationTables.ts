import type { AblationTable } from '../../activities/artifacts/ablation.ts';
import {
  accuracyCells,
  armsOf,
  changeCell,
  comparedDepths,
  failedLine,
  movementCells,
  movementTitles,
  trainingCells,
  trainingTitles,
} from '../ablation.ts';
import { duration, percent, whole } from './format.ts';
import { type Html, html } from './html.ts';

interface ArmTable {
  title: string;
  note: string;
  /** Something to be worried about. */
  warning?: string | null;
  /** Of the columns after the arm's name. */
  titles: readonly string[];
  /** An arm, and its cells. */
  rows: readonly (readonly [string, ...(string | Html)[]])[];
}

/** A line an arm. */
function armTable({ title, note, warning = null, titles, rows }: ArmTable): Html {
  return html`<figure class="table">
    <figcaption>
      <h3>${title}</h3>
      <p>${note}</p>
      ${warning !== null && html`<p class="bad">${warning}.</p>`}
    </figcaption>
    <table>
      <thead>
        <tr>
          ${['arm', ...titles].map((each) => html`<th>${each}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (cells) =>
            html`<tr>
              ${cells.map((cell) => html`<td>${cell}</td>`)}
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
  return armTable({
    title: 'Accuracy, ± standard deviation over seeds',
    note: `Corrected: problems answered better at k = ${last} than at k = 0. Broken: worse. Over all seeds.`,
    warning: failedLine(table, set),
    titles: [...shown.map((k) => `k = ${k}`), 'Δ, points', 'corrected, broken'],
    rows: armsOf(table).flatMap((name) => {
      if (!arms[name]) return [];
      const { depths } = arms[name];
      const end = depths[last]!;
      const counts = html`<span class="good">+${end.corrected}</span>
        <span class="bad">−${end.broken}</span>`;
      return [[name, ...accuracyCells(depths, shown), changeCell(end.change), counts] as const];
    }),
  });
}

/** Whether steps still change answers, and how far they reach. */
export function movementTable(table: AblationTable, set: string): Html {
  const arms = table.sets[set]!;
  return armTable({
    title: 'What steps still change',
    note: 'Same answer again: steps that repeat the answer before, in the mean. Right at some k: what always keeping the best iterate would give, which only a judge could.',
    titles: [...movementTitles, 'right at k = 0'],
    rows: armsOf(table).flatMap((name) =>
      arms[name]
        ? [[name, ...movementCells(arms[name]), percent(arms[name].depths[0]!.accuracy.value)] as const]
        : [],
    ),
  });
}

/** What the other arms have more than the first. */
export function differences(table: AblationTable, set: string): Html | false {
  const rows = table.arms.flatMap((name) => {
    const against = table.sets[set]![name]?.against;
    if (!against) return [];
    const cells = [against.first, against.last, against.change].map(
      (difference) => `${changeCell(difference)}, p ${difference.p.toFixed(3)}`,
    );
    return [[name, ...cells] as const];
  });
  return (
    rows.length > 0 &&
    armTable({
      title: `More than ${table.arms[0]!}`,
      note: 'The same seeds and problems resampled for both; p is two-sided and of one comparison alone.',
      titles: ['at k = 0, points', 'at the last k', 'of Δ'],
      rows,
    })
  );
}

/** How the arms were trained. */
export function trainingTable({ arms, training }: AblationTable): Html {
  return armTable({
    title: 'How training went',
    note: 'Groups whose rewards differed; entropy of the last update, in nats a token; the task buffer at the end: entries, their depth, their learnability S, and how many of them the next selection is as good as evenly spread over.',
    titles: trainingTitles,
    rows: arms.flatMap((name) => (training[name] ? [[name, ...trainingCells(training[name])] as const] : [])),
  });
}

/** What their runs cost. */
export function costTable({ arms, cost }: AblationTable): Html {
  return armTable({
    title: 'What a run cost',
    note: 'Mean over an arm’s runs; seconds of all steps, on whatever machine made them.',
    titles: ['prompt tokens', 'sampled tokens', 'time'],
    rows: arms.flatMap((name) => {
      if (!cost[name]) return [];
      const { promptTokens, completionTokens, seconds } = cost[name];
      return [[name, whole(promptTokens), whole(completionTokens), duration(seconds)] as const];
    }),
  });
}
