import type { Colors } from 'picocolors/types.js';
import type { RunStatus } from '../workflows/contract/names.ts';
import type { RunProgress } from '../workflows/contract/progress.ts';
import { accuracyTable, rewardCurve } from './curves.ts';
import type { ActivityAtWork, Snapshot } from './observe.ts';
import { noWorker } from './temporal.ts';
import { bar, clip, count, duration, percent } from './terminal.ts';

const barSize = 16;
const labelSize = 12;

/** The live view of a run: at most `width` columns, and the same lines without color. */
export function runView(snapshot: Snapshot, width: number, paint: Colors): string[] {
  const { run, progress, elapsedMs, remainingMs } = snapshot;
  const label = (text: string) => paint.dim(text.padEnd(labelSize));
  const left = remainingMs === null ? '' : ` · about ${duration(remainingMs)} left`;
  const lines = [
    `${paint.bold(clip(run.runKey, width - 24))}  ${paintStatus(run.status, paint)}`,
    `${label('time')}${duration(elapsedMs)}${left}`,
  ];
  if (!snapshot.workerPolls) lines.push(paint.yellow(noWorker));
  if (progress?.alarm)
    lines.push(
      paint.yellow(clip(`${run.status === 'paused' ? 'paused' : 'last alarm'}: ${progress.alarm}`, width)),
    );
  if (!progress) return lines;
  const { generation, generations, head, rewards, rewardsFrom, evaluations } = progress;
  const committed = head?.generation ?? 0;
  lines.push(
    `${label('generation')}${bar(committed / generations, barSize)}  ${generation} of ${generations}, ${committed} committed`,
  );
  const at = stepLine(snapshot);
  if (at)
    lines.push(
      `${label(at.label)}${bar(at.share, barSize)}  ${clip(at.text, width - labelSize - barSize - 2)}`,
    );
  for (const retried of snapshot.retried) lines.push(paint.yellow(clip(retriedLine(retried), width)));
  if (rewards.length > 0)
    lines.push('', paint.dim('mean reward by generation'), ...rewardCurve(rewards, rewardsFrom, width));
  if (evaluations.length > 0) lines.push('', ...accuracyTable(firstAndLast(evaluations)));
  return lines;
}

/** The step at work, how far it is, and how fast. */
function stepLine({ step, activity, run }: Snapshot): { label: string; share: number; text: string } | null {
  if (!run.open) return null;
  const beat = activity?.heartbeat;
  if (!step) return beat ? { label: 'start', share: shareOf(beat), text: beat.phase } : null;
  const { done, total } = step;
  const within = beat ? shareOf(beat) : 0;
  const parts = [activity?.id ? `${activity.id}` : `${done}/${total}`];
  if (beat?.phase)
    parts.push(beat.total > 0 ? `${beat.phase} ${count(beat.done)}/${count(beat.total)}` : beat.phase);
  if (beat?.tokensPerSecond) parts.push(`${count(beat.tokensPerSecond)} tokens/s`);
  return {
    label: step.step,
    share: Math.min(1, (done + within) / Math.max(1, total)),
    text: parts.join(' · '),
  };
}

function shareOf({ done, total }: { done: number; total: number }): number {
  return total > 0 ? Math.min(1, done / total) : 0;
}

function firstAndLast(evaluations: RunProgress['evaluations']): RunProgress['evaluations'] {
  return evaluations.length <= 2 ? evaluations : [evaluations.at(0)!, evaluations.at(-1)!];
}

function paintStatus(status: RunStatus, paint: Colors): string {
  switch (status) {
    case 'running':
    case 'completed':
      return paint.green(status);
    case 'paused':
    case 'stopped':
      return paint.yellow(status);
    case 'failed':
      return paint.red(status);
  }
}

/** What a log should say of the way from one snapshot to the next: plain lines, none when nothing happened. */
export function newsOf(before: Snapshot | null, now: Snapshot): string[] {
  const lines: string[] = [];
  const had = before?.progress ?? null;
  const has = now.progress;
  const status = before?.run.status === now.run.status ? [] : [`${now.run.runKey}  ${now.run.status}`];
  if (now.run.open) lines.push(...status);
  if (!now.workerPolls && before?.workerPolls !== false) lines.push(noWorker);
  if (has) {
    for (const { generation, accuracy } of has.evaluations.slice(had?.evaluations.length ?? 0))
      lines.push(
        `evaluation of generation ${generation}  ${accuracy.map((share, k) => `k=${k} ${percent(share)}`).join('  ')}`,
      );
    const from = had ? had.rewardsFrom + had.rewards.length : has.rewardsFrom;
    for (let generation = from; generation < has.rewardsFrom + has.rewards.length; generation++)
      lines.push(
        `generation ${generation}/${has.generations}  mean reward ${has.rewards[generation - has.rewardsFrom]?.toFixed(3)}`,
      );
    if (has.alarm !== null && has.alarm !== had?.alarm) lines.push(`paused: ${has.alarm}`);
    if (has.child !== null && has.child !== had?.child && isEvaluation(has.child))
      lines.push(`evaluating generation ${has.head?.generation ?? 0} on held-out problems`);
  }
  for (const retried of now.retried)
    if (!before?.retried.some(({ id, attempt }) => id === retried.id && attempt === retried.attempt))
      lines.push(clip(retriedLine(retried), 200));
  if (!now.run.open) lines.push(...status);
  return lines;
}

/** `my-run/eval-0007` */
function isEvaluation(workflowId: string): boolean {
  return /\/eval-\d+$/.test(workflowId);
}

function retriedLine({ id, attempt, lastFailure }: ActivityAtWork): string {
  return `${id}: attempt ${attempt}, before: ${lastFailure}`;
}

/** The last words on a closed run. */
export function outcomeOf({ run, progress, failure, elapsedMs }: Snapshot): string {
  const made = `${progress?.head?.generation ?? run.generation} generations in ${duration(elapsedMs)}`;
  switch (run.status) {
    case 'completed':
      return `Run ${run.runKey} completed: ${made}.`;
    case 'stopped':
      return `Run ${run.runKey} was stopped: ${made}.`;
    case 'failed':
      return `Run ${run.runKey} failed. ${failure ?? 'Its history in the Temporal UI says why.'}`;
    case 'running':
    case 'paused':
      return `Run ${run.runKey} is ${run.status}.`;
  }
}
