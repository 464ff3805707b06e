import { Command } from 'commander';
import { openStore } from '../connect.ts';
import { findRunKey } from '../record.ts';
import { writeReport } from '../reportFile.ts';
import { print, printJson } from '../terminal.ts';

export function reportCommand(): Command {
  return new Command('report')
    .description('write the HTML report of a run to a file, and beside the run in the bucket')
    .argument('<run>', 'name of a run (its newest), or a runKey')
    .option('--out <file>', 'file to write; out/<runKey>.html when left out')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample: reiterate report my-run --out report.html')
    .action(async (run: string, options: { out?: string; json?: boolean }) => {
      const store = await openStore();
      const written = await writeReport(store, await findRunKey(store, null, run), options.out);
      if (options.json) printJson(written);
      else print(written.file);
    });
}
