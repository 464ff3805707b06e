import { Command, CommanderError } from 'commander';
import { demoCommand } from './commands/demo.ts';
import { envCommand } from './commands/env.ts';
import { policyCommand } from './commands/policy.ts';
import { reportCommand } from './commands/report.ts';
import { runsCommand } from './commands/runs.ts';
import { downCommand, statusCommand, upCommand } from './commands/services.ts';
import { showCommand } from './commands/show.ts';
import { startCommand } from './commands/start.ts';
import { pauseCommand, resumeCommand, stopCommand } from './commands/steering.ts';
import { watchCommand } from './commands/watch.ts';
import { workerCommand } from './commands/worker.ts';
import { describeError, exitCodeOf, exitCodes, exitCodesHelp } from './exit.ts';

/** The `reiterate` command. Results go to stdout, notes and progress to stderr; exit codes are in `exit.ts`. */
const program = new Command('reiterate')
  .description('Trains a language model to improve its own answers (ExIt), durably.')
  .addHelpText('after', `${exitCodesHelp}\n\nStart here: reiterate demo`)
  .showHelpAfterError('(`--help` shows what is possible)')
  .configureHelp({ helpWidth: 80 });

for (const command of [
  demoCommand(),
  upCommand(),
  downCommand(),
  statusCommand(),
  envCommand(),
  workerCommand(),
  startCommand(),
  watchCommand(),
  runsCommand(),
  showCommand(),
  pauseCommand(),
  resumeCommand(),
  stopCommand(),
  reportCommand(),
  policyCommand(),
])
  program.addCommand(inherit(command));

try {
  await program.exitOverride().parseAsync();
} catch (error) {
  if (error instanceof CommanderError)
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  else {
    process.stderr.write(`reiterate: ${describeError(error, Boolean(process.env['REITERATE_DEBUG']))}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

/** Subcommands made apart do not take over what was set on the program. */
function inherit(command: Command): Command {
  command.copyInheritedSettings(program).exitOverride();
  command.commands.forEach((subcommand) => inherit(subcommand as Command));
  return command;
}
