import { readFileSync } from 'node:fs';
import type { EvaluationSummary } from '../../activities/artifacts/evaluation.ts';
import type { DynamicsRow, PointRow } from '../../activities/artifacts/records.ts';
import { page, type Head } from './document.ts';
import { dynamicsFigures, projectionFigures } from './dynamics.ts';
import * as figures from './figures.ts';
import * as heldOutFigures from './heldOut.ts';
import { period, whole } from './format.ts';
import type { Histories } from './histories.ts';
import { embed, type Html, html } from './html.ts';
import { keyNumbers } from './numbers.ts';
import type { ReportedRun } from './run.ts';
import { depthTable, hash, record } from './tables.ts';

const script = readFileSync(new URL('./page.js', import.meta.url), 'utf8');

/** How training went, as the page shows it. */
export interface DrawnDynamics {
  rows: DynamicsRow[];
  points: PointRow[];
}

/** The whole page as a text. */
export function reportPage(run: ReportedRun, dynamics: DrawnDynamics, histories: Histories): string {
  const { points, evaluations } = run;
  return page(
    headOf(run),
    html`<main>
        ${keyNumbers(run)} ${evaluations.length > 0 && heldOut(evaluations)}
        ${
          points.length === 0
            ? html`<p class="empty">No generation is committed yet besides the untrained policy.</p>`
            : html`${training(run)} ${dynamicsOf(run, dynamics, histories)} ${cost(run)}`
        }
        ${browser(histories)} ${record(run)}
      </main>
      <footer>
        Made by Reiterate from the artifact store. All of it, and more, is in the run’s Parquet files.
      </footer>
      <script type="application/json" id="histories">
        ${embed({ groups: histories.groups, walks: histories.walks })}
      </script>`,
    script,
  );
}

function headOf({ runKey, config, chain }: ReportedRun): Head {
  const first = chain[0];
  const head = chain.at(-1) ?? first;
  const { observed, content } = head;
  const facts: Head['facts'] = [
    ['strategy', config.strategy],
    ['model', config.model],
    ['domain', config.domain.name],
    ['seed', String(config.seed)],
    ['generations', `${content.generation} of ${config.generations}`],
    ['committed', period(first.observed.committedAt, observed.committedAt)],
    ['machine', `${observed.host}, ${observed.processor}`],
    ['configuration', hash(content.configHash)],
    ['head', hash(head.hash)],
    ['policy', hash(content.policy)],
  ];
  return { kind: 'run report', name: runKey, facts };
}

function heldOut(evaluations: EvaluationSummary[]): Html {
  return html`<section>
    <h2>Held-out problems</h2>
    <div class="figures">
      ${heldOutFigures.accuracyByDepth(evaluations)}
      ${evaluations.length > 2 && heldOutFigures.accuracyByGeneration(evaluations)} ${depthTable(evaluations)}
    </div>
  </section>`;
}

function training(run: ReportedRun): Html {
  return html`<section>
      <h2>Training</h2>
      <div class="figures">
        ${figures.learningCurve(run)} ${figures.qualityByStep(run)} ${figures.signalFigure(run)}
        ${figures.truncatedFigure(run)}
      </div>
    </section>
    ${
      selects(run) &&
      html`<section>
        <h2>Curriculum</h2>
        <div class="figures small">${figures.curriculumFigures(run)}</div>
      </section>`
    }
    <section>
      <h2>Update</h2>
      <div class="figures">${figures.updateFigures(run)}</div>
    </section>`;
}

function dynamicsOf(run: ReportedRun, { rows, points }: DrawnDynamics, { groups }: Histories): Html {
  const browsable = new Set(groups.flatMap(({ rollouts }) => rollouts.map(({ id }) => id)));
  return html`<section>
    <h2>Dynamics</h2>
    <div class="figures small">${dynamicsFigures(rows, selects(run))}</div>
    ${points.length > 0 && html`<div class="figures">${projectionFigures(points, browsable)}</div>`}
  </section>`;
}

const selects = ({ config }: ReportedRun) => config.curriculum.selectProbability > 0;

function cost(run: ReportedRun): Html {
  return html`<section>
    <h2>Cost</h2>
    <div class="figures">${figures.secondsFigure(run)} ${figures.tokensFigure(run)}</div>
  </section>`;
}

function browser({ groups, walks, groupsInRun, heldOutTasks }: Histories): Html {
  const sampled = [
    groups.length < groupsInRun
      ? `Shown are ${whole(groups.length)} of ${whole(groupsInRun)} groups, an even sample; the run’s groups.parquet files hold all.`
      : '',
    walks.length < heldOutTasks
      ? `Shown are ${whole(walks.length)} of ${whole(heldOutTasks)} held-out problems; the depth-*.parquet files hold all.`
      : '',
  ];
  return html`<section id="browse">
    <h2>Histories</h2>
    <p class="note">
      What the policy was asked, what it answered, and what that was worth.
      ${sampled.filter(Boolean).join(' ')}
    </p>
    <noscript
      ><p class="empty">
        The browser of histories needs JavaScript; the rest of the page does not.
      </p></noscript
    >
    <form id="filters" hidden></form>
    <p id="count" class="note" aria-live="polite"></p>
    <div id="cards"></div>
  </section>`;
}
