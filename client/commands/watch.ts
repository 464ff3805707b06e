import { Command } from 'commander';
import { withTemporal } from '../connect.ts';
import { exitCodes } from '../exit.ts';
import { follow } from '../follow.ts';
import { onInterrupt } from '../interrupt.ts';
import type { Snapshot } from '../observe.ts';
import { note, print } from '../terminal.ts';
import { outcomeOf } from '../view.ts';

export function watchCommand(): Command {
  return new Command('watch')
    .description('follow a run live until it ends; Ctrl-C leaves the run alone')
    .argument('<run>', 'name of a run, or its runKey')
    .option('--json', 'print one JSON object a line whenever something changed')
    .addHelpText(
      'after',
      '\nExit code 0 when the run completed, 1 when it failed or was stopped.\n\nExample: reiterate watch my-run',
    )
    .action(async (run: string, options: { json?: boolean }) => {
      await withTemporal(async (temporal) => {
        const interrupt = onInterrupt();
        let printed = '';
        const last = await follow(temporal, run, {
          show: options.json ? 'quiet' : process.stderr.isTTY ? 'live' : 'lines',
          signal: interrupt.signal,
          onSnapshot: (snapshot) => {
            if (!options.json) return;
            const line = JSON.stringify(machineView(snapshot));
            if (line !== printed) print(line);
            printed = line;
          },
        });
        interrupt.done();
        if (last && !last.run.open) {
          if (!options.json) print(outcomeOf(last));
          process.exitCode = last.run.status === 'completed' ? exitCodes.ok : exitCodes.failed;
          return;
        }
        note(`The run goes on; look again with \`reiterate watch ${run}\`.`);
        process.exitCode = exitCodes.interrupted;
      });
    });
}

/** What changes only because time passes is left out. */
function machineView({ run, progress, step, activity, retried, workerPolls, failure }: Snapshot) {
  return { runKey: run.runKey, status: run.status, progress, step, activity, retried, workerPolls, failure };
}
