import type { EvaluationSummary } from '../../activities/artifacts/evaluation.ts';
import { duration, percent, points as inPoints, signed, whole } from './format.ts';
import { type Html, html } from './html.ts';
import type { ReportedRun } from './run.ts';

interface Change {
  label: string;
  before: string | null;
  after: string;
  /** What changed, in words. */
  change: string;
  good: boolean | null;
}

/** What the run came to: measures before → after training, then totals. */
export function keyNumbers({ points, evaluations }: ReportedRun): Html {
  const [first, last] = [evaluations[0], evaluations.at(-1)];
  const changes: Change[] = [];
  if (first && last) {
    const accuracy = (evaluation: EvaluationSummary, k: number) => evaluation.depths.at(k)?.accuracy ?? 0;
    const deepest = last.depths.length - 1;
    const compare = (
      label: string,
      before: number,
      after: number,
      show: (value: number) => string,
    ): Change => ({
      label,
      before: first === last ? null : show(before),
      after: show(after),
      change: first === last ? 'before training' : inPoints(after - before),
      good: first === last || after === before ? null : after > before,
    });
    changes.push(compare('Held-out accuracy, first answer', accuracy(first, 0), accuracy(last, 0), percent));
    if (deepest > 0)
      changes.push(
        compare(
          `Held-out accuracy, after ${deepest} ${deepest === 1 ? 'step' : 'steps'}`,
          accuracy(first, -1),
          accuracy(last, -1),
          percent,
        ),
        compare('Gained by self-iteration, Δ', first.delta.value, last.delta.value, (value) =>
          signed(value * 100, 1),
        ),
      );
  }
  if (points.length > 0) {
    const window = Math.max(1, Math.min(5, Math.floor(points.length / 4)));
    const reward = (part: typeof points) => mean(part.map(({ metrics }) => metrics.meanReward));
    const [start, end] = [reward(points.slice(0, window)), reward(points.slice(-window))];
    changes.push({
      label: `Training reward, ${window === 1 ? 'first and last generation' : `first and last ${window} generations`}`,
      before: start.toFixed(3),
      after: end.toFixed(3),
      change: signed(end - start, 3),
      good: end === start ? null : end > start,
    });
  }
  const sum = (value: (point: (typeof points)[number]) => number) =>
    points.reduce((total, each) => total + value(each), 0);
  const drawn = sum(({ conservation }) => conservation.drawn);
  const totals: [string, string, string][] = [
    [
      'Prompts with signal',
      whole(sum(({ conservation }) => conservation.trained)),
      `of ${whole(drawn)} drawn`,
    ],
    [
      'Tokens sampled',
      whole(sum(({ metrics }) => metrics.completionTokens + (metrics.drafts?.completionTokens ?? 0))),
      `${whole(sum(({ metrics }) => metrics.update?.trainedTokens ?? 0))} trained on`,
    ],
    [
      'Time at work',
      duration(sum(({ seconds }) => Object.values(seconds).reduce((total, each) => total + each, 0))),
      `${whole(points.length)} generations`,
    ],
  ];
  return html`<section class="numbers">
    ${changes.map(
      ({ label, before, after, change, good }) =>
        html`<div class="number">
          <h2>${label}</h2>
          <p>
            ${before !== null && html`<span class="was">${before}</span> <span class="arrow">→</span> `}<b
              >${after}</b
            >
          </p>
          <p class="change ${good === null ? '' : good ? 'good' : 'bad'}">${change}</p>
        </div>`,
    )}
    ${
      points.length > 0 &&
      totals.map(
        ([label, value, note]) =>
          html`<div class="number">
            <h2>${label}</h2>
            <p><b>${value}</b></p>
            <p class="change">${note}</p>
          </div>`,
      )
    }
  </section>`;
}

function mean(numbers: number[]): number {
  return numbers.reduce((total, each) => total + each, 0) / Math.max(1, numbers.length);
}
