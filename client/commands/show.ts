import { Command } from 'commander';
import { openStore, withTemporalIfThere } from '../connect.ts';
import { accuracyTable, rewardCurve } from '../curves.ts';
import { showRun, type ShownGeneration, type ShownRun } from '../record.ts';
import { count, fields, percent, print, printJson, table, width } from '../terminal.ts';

export function showCommand(): Command {
  return new Command('show')
    .description('show what a run is, generation by generation, from its record')
    .argument('<run>', 'name of a run (its newest), or a runKey')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nGeneration 0 is the untrained start; the list begins with 1.\n\nExample: reiterate show my-run --json',
    )
    .action(async (run: string, options: { json?: boolean }) => {
      const store = await openStore();
      await withTemporalIfThere(async (temporal) => {
        const shown = await showRun(store, temporal, run);
        if (options.json) printJson(shown);
        else print(...pageOf(shown));
      });
    });
}

function pageOf({ runKey, status, head, generations, evaluations, named }: ShownRun): string[] {
  const lines = fields([
    ['run', runKey],
    ['status', status],
    ['head', head ? `generation ${head.generation}` : 'nothing committed yet'],
    ...(head ? [['hash', head.hash] as const] : []),
  ]);
  const rewards = generations.map(({ meanReward }) => meanReward);
  const first = generations[0]?.generation;
  if (first !== undefined)
    lines.push(
      '',
      'mean reward by generation',
      ...rewardCurve(rewards, first, width()),
      '',
      ...generationTable(generations),
    );
  if (evaluations.length > 0) lines.push('', ...accuracyTable(evaluations));
  if (named.length > 0) lines.push('', ...namedTable(named));
  return lines;
}

function namedTable(named: ShownRun['named']): string[] {
  const depths = Math.max(...named.map(({ accuracy }) => accuracy.length));
  return table(
    [
      { title: 'evaluation', align: 'left' },
      { title: 'generation', align: 'right' },
      { title: 'problems', align: 'right' },
      ...Array.from({ length: depths }, (_, k) => ({ title: `k=${k}`, align: 'right' as const })),
    ],
    named.map(({ name, generation, tasks, samplesPerTask, accuracy }) => [
      name,
      String(generation),
      `${tasks} × ${samplesPerTask}`,
      ...accuracy.map(percent),
    ]),
  );
}

function generationTable(generations: ShownGeneration[]): string[] {
  const right = (title: string) => ({ title, align: 'right' as const });
  const quality = ({ byStep }: ShownGeneration, kind: string) => byStep[kind]?.meanQuality.toFixed(2) ?? '–';
  const tokens = (of: { promptTokens: number; completionTokens: number } | undefined) =>
    of ? of.promptTokens + of.completionTokens : 0;
  const drafted = generations.some(({ drafts }) => drafts);
  return table(
    [
      right('gen'),
      right('reward'),
      ...(drafted ? [right('draft'), right('best')] : []),
      right('base'),
      right('improve'),
      right('diverge'),
      right('signal'),
      right('entropy'),
      right('buffer'),
      right('depth'),
      right('tokens'),
      right('seconds'),
    ],
    generations.map((row) => [
      String(row.generation),
      row.meanReward.toFixed(3),
      ...(drafted
        ? [row.drafts?.meanQuality.toFixed(2) ?? '–', row.drafts?.meanBestQuality.toFixed(2) ?? '–']
        : []),
      quality(row, 'base'),
      quality(row, 'improve'),
      quality(row, 'diverge'),
      `${row.groupsWithSignal}/${row.conservation?.drawn ?? '–'}`,
      row.update?.entropy.toFixed(2) ?? '–',
      String(row.bufferSize),
      row.bufferMeanDepth.toFixed(2),
      count(tokens(row) + tokens(row.drafts)),
      Object.values(row.seconds)
        .reduce((sum, seconds) => sum + seconds, 0)
        .toFixed(1),
    ]),
  );
}
