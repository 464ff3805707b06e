import type { RunProgress } from './contract/progress.ts';

/**
 * A run's current details in the Temporal UI: Markdown headings and fenced, aligned text (the UI drops the columns
 * of Markdown tables).
 */
export function runDetails(progress: RunProgress): string {
  const lines = [
    `### ${progress.strategy} · generation ${progress.generation} of ${progress.generations} · ${progress.status}`,
    '',
    `Record: \`runs/${progress.runKey}/\``,
  ];
  if (progress.failure) lines.push('', `**${progress.failure}**`);
  if (progress.alarm)
    lines.push('', `**${progress.status === 'paused' ? 'Paused' : 'Last alarm'}: ${progress.alarm}**`);
  const newest = progress.rewards.slice(-12);
  if (newest.length > 0) {
    const first = progress.rewardsFrom + progress.rewards.length - newest.length;
    lines.push('', '```', 'generation  mean reward');
    newest.forEach((reward, index) =>
      lines.push(`${String(first + index).padStart(10)}  ${reward.toFixed(3)}  ${bar(reward)}`),
    );
    lines.push('```');
  }
  if (progress.evaluations.length > 0) {
    const depths = progress.evaluations[0]?.accuracy ?? [];
    lines.push(
      '',
      'Held-out accuracy by depth k',
      '```',
      `generation  ${depths.map((_, k) => `k=${k}`.padEnd(6)).join('')}`,
    );
    for (const { generation, accuracy } of progress.evaluations.slice(-12))
      lines.push(
        `${String(generation).padStart(10)}  ${accuracy.map((value) => value.toFixed(3).padEnd(6)).join('')}`,
      );
    lines.push('```');
  }
  return lines.join('\n');
}

function bar(share: number): string {
  return '█'.repeat(Math.round(Math.max(0, Math.min(1, share)) * 30));
}
