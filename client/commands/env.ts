import { Command } from 'commander';
import { connection, environmentOf, shellLines } from '../../infra/services/connection.ts';
import { print, printJson } from '../terminal.ts';

export function envCommand(): Command {
  return new Command('env')
    .description("print shell lines that point the Temporal CLI and the bucket's clients at the services")
    .option('--json', 'print the variables as JSON')
    .addHelpText(
      'after',
      '\nThe lines hold the credentials of the object store.\n\nExample: eval "$(reiterate env)" && temporal workflow list',
    )
    .action(async (options: { json?: boolean }) => {
      const services = await connection();
      if (options.json) printJson(environmentOf(services));
      else print(...shellLines(services));
    });
}
