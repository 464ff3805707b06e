import { hashOf } from '../../activities/artifacts/canonical.ts';
import type { EvaluationSummary } from '../../activities/artifacts/evaluation.ts';
import { instant, percent, short, whole } from './format.ts';
import { type Html, html } from './html.ts';
import type { ReportedRun } from './run.ts';

/** Accuracy, corrected and broken answers at each depth, before and after training. */
export function depthTable(evaluations: EvaluationSummary[]): Html {
  const shown = [...new Set([evaluations[0]!, evaluations.at(-1)!])];
  const name = ({ generation }: EvaluationSummary) =>
    generation === 0 ? 'before training' : `after generation ${generation}`;
  const samples = evaluations[0]!.samplesPerTask;
  const several = samples > 1;
  const columns = several ? 3 : 2;
  const failed = shown.flatMap((evaluation) => {
    const answers = evaluation.depths.reduce((sum, { failed = 0 }) => sum + failed, 0);
    return answers > 0 ? [`${whole(answers)} ${name(evaluation)}`] : [];
  });
  return html`<figure class="table">
    <figcaption>
      <h3>What the steps do</h3>
      <p>
        Corrected: wrong at k = 0, right at this depth. Broken: the other way round.
        ${several && `pass@${samples}: problems with at least one right answer among ${samples}.`}
      </p>
      ${
        failed.length > 0 &&
        html`<p class="bad">Not graded, counted as wrong, over all depths: ${failed.join(', ')}.</p>`
      }
    </figcaption>
    <table>
      <thead>
        <tr>
          <th rowspan="2">k</th>
          ${shown.map((evaluation) => html`<th colspan="${columns}">${name(evaluation)}</th>`)}
        </tr>
        <tr>
          ${shown.map(
            () =>
              html`<th>accuracy</th>
                ${several && html`<th>pass@${samples}</th>`}
                <th>corrected, broken</th>`,
          )}
        </tr>
      </thead>
      <tbody>
        ${(evaluations.at(-1)?.depths ?? []).map(
          ({ k }) =>
            html`<tr>
              <td>${k}</td>
              ${shown.map(({ depths }) => {
                const depth = depths[k];
                return depth
                  ? html`<td>${percent(depth.accuracy)}</td>
                      ${several && html`<td>${percent(depth.pass)}</td>`}
                      <td>
                        ${
                          k > 0 &&
                          html`<span class="good">+${depth.corrected}</span>
                            <span class="bad">−${depth.broken}</span>`
                        }
                      </td>`
                  : html`<td></td>
                      ${several && html`<td></td>`}
                      <td></td>`;
              })}
            </tr>`,
        )}
      </tbody>
    </table>
  </figure>`;
}

/** Configuration, changes made live, and the manifest chain. */
export function record({ chain, config }: ReportedRun): Html {
  const changed = chain.flatMap(({ content }) =>
    content.changes.map((change) => ({ generation: content.generation, ...change })),
  );
  return html`<section>
    <h2>Record</h2>
    ${
      changed.length > 0 &&
      html`<h3>Changed while it ran</h3>
        <table>
          <thead>
            <tr>
              <th>generation</th>
              <th>what</th>
              <th>from</th>
              <th>to</th>
            </tr>
          </thead>
          <tbody>
            ${changed.map(
              ({ generation, path, from, to }) =>
                html`<tr>
                  <td>${generation}</td>
                  <td>${path}</td>
                  <td>${JSON.stringify(from)}</td>
                  <td>${JSON.stringify(to)}</td>
                </tr>`,
            )}
          </tbody>
        </table>`
    }
    <details>
      <summary>Configuration <code>${short(hashOf(config))}</code></summary>
      <pre>${JSON.stringify(config, null, 2)}</pre>
    </details>
    <details>
      <summary>
        Manifest chain, ${whole(chain.length)} ${chain.length === 1 ? 'manifest' : 'manifests'}
      </summary>
      <div class="scroll">
        <table class="chain">
          <thead>
            <tr>
              <th>generation</th>
              <th>manifest</th>
              <th>policy</th>
              <th>curriculum</th>
              <th>committed</th>
              <th>host</th>
            </tr>
          </thead>
          <tbody>
            ${chain.map(
              ({ hash: manifest, content, observed }) =>
                html`<tr>
                  <td>${content.generation}</td>
                  <td>${hash(manifest)}</td>
                  <td>${hash(content.policy)}</td>
                  <td>${hash(content.curriculum)}</td>
                  <td>${instant(observed.committedAt)}</td>
                  <td>${observed.host}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </details>
    <details>
      <summary>Software</summary>
      <pre>${JSON.stringify(chain[0].observed.versions, null, 2)}</pre>
    </details>
  </section>`;
}

/** The start of a hash; all of it as a hint. */
export function hash(value: string): Html {
  return html`<code title="${value}">${short(value)}</code>`;
}
