import { Command } from 'commander';
import { readRunConfig } from '../config.ts';
import { withTemporal } from '../connect.ts';
import { runName, repeated } from '../arguments.ts';
import { noWorker, pageOf, startRun, workerPolls } from '../temporal.ts';
import { fields, note, print, printJson, timestamp } from '../terminal.ts';

interface Options {
  id?: string;
  set?: string[];
  json?: boolean;
}

export function startCommand(): Command {
  return new Command('start')
    .description('start a run from a configuration file')
    .argument('<config>', 'JSON file, such as presets/demo.json')
    .option(
      '--id <name>',
      'name of the run (workflow id); made from the strategy and the time when left out',
      runName,
    )
    .option('--set <path=value>', 'override a setting; may be repeated', repeated)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExample: reiterate start presets/demo.json --id my-run \\\n  --set seed=7 --set training.learningRate=1e-4',
    )
    .action(async (file: string, options: Options) => {
      const config = await readRunConfig(file, options.set ?? []);
      const id = options.id ?? `${config.strategy}-${timestamp()}`;
      await withTemporal(async (temporal) => {
        const run = await startRun(temporal, id, config);
        const ui = pageOf(temporal, id);
        if (options.json) printJson({ id, runKey: run.runKey, ui });
        else
          print(
            ...fields([
              ['run', id],
              ['runKey', run.runKey],
              ...(ui ? [['ui', ui] as const] : []),
              ['watch', `reiterate watch ${id}`],
            ]),
          );
        if (!(await workerPolls(temporal))) note(`The run waits: ${noWorker}.`);
      });
    });
}
