import { Command } from 'commander';
import { ablationCommand } from './commands/ablation.ts';
import { demoCommand } from './commands/demo.ts';
import { envCommand } from './commands/env.ts';
import { evaluateCommand } from './commands/evaluate.ts';
import { explainCommand } from './commands/explain.ts';
import { improveCommand } from './commands/improve.ts';
import { inspectCommand } from './commands/inspect.ts';
import { policyCommand } from './commands/policy.ts';
import { reportCommand } from './commands/report.ts';
import { runsCommand } from './commands/runs.ts';
import { downCommand, statusCommand, upCommand } from './commands/services.ts';
import { showCommand } from './commands/show.ts';
import { startCommand } from './commands/start.ts';
import { pauseCommand, resumeCommand, stopCommand } from './commands/steering.ts';
import { watchCommand } from './commands/watch.ts';
import { workerCommand } from './commands/worker.ts';
import { exitCodesHelp } from './exit.ts';

/** The `reiterate` command and its subcommands, one file each under `commands/`. */
export function createProgram(): Command {
  const program = new Command('reiterate')
    .description('Trains a language model to improve its own answers (ExIt), durably.')
    .addHelpText('after', `${exitCodesHelp}\n\nStart here: reiterate demo`)
    .showHelpAfterError('(`--help` shows what is possible)')
    .configureHelp({ helpWidth: 80 })
    .exitOverride();
  for (const command of [
    demoCommand(),
    upCommand(),
    downCommand(),
    statusCommand(),
    envCommand(),
    workerCommand(),
    explainCommand(),
    startCommand(),
    watchCommand(),
    runsCommand(),
    showCommand(),
    pauseCommand(),
    resumeCommand(),
    stopCommand(),
    inspectCommand(),
    reportCommand(),
    evaluateCommand(),
    improveCommand(),
    ablationCommand(),
    policyCommand(),
  ])
    program.addCommand(inherit(command, program));
  return program;
}

/** Commands made apart do not take over by themselves what was set on the program. */
function inherit(command: Command, program: Command): Command {
  command.copyInheritedSettings(program).exitOverride();
  for (const subcommand of command.commands) inherit(subcommand, program);
  return command;
}
