import { Command } from 'commander';
import { openStore, withTemporalIfThere } from '../connect.ts';
import { listAllRuns } from '../record.ts';
import { clip, note, print, printJson, table } from '../terminal.ts';

export function runsCommand(): Command {
  return new Command('runs')
    .description('list all runs: the record in the object store, with their status from Temporal')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample: reiterate runs --json')
    .action(async (options: { json?: boolean }) => {
      const store = await openStore();
      await withTemporalIfThere(async (temporal) => {
        const runs = await listAllRuns(store, temporal);
        if (options.json) return printJson({ runs });
        if (runs.length === 0)
          return note('No runs yet: `reiterate demo`, or `reiterate start presets/demo.json`.');
        print(
          ...table(
            [
              { title: 'run', align: 'left' },
              { title: 'status', align: 'left' },
              { title: 'generation', align: 'right' },
              { title: 'reward', align: 'right' },
              { title: 'at', align: 'left' },
            ],
            runs.map(({ runKey, status, generation, meanReward, at }) => [
              clip(runKey, 34),
              status,
              generation === null ? '–' : String(generation),
              meanReward === null ? '–' : meanReward.toFixed(3),
              at.slice(0, 16).replace('T', ' '),
            ]),
          ),
        );
      });
    });
}
