import { Command } from 'commander';
import type { SteeringAnswer } from '../../workflows/contract/progress.ts';
import { wholeNumber } from '../arguments.ts';
import { openStore, withTemporal } from '../connect.ts';
import { CommandFailure, describeError, exitCodeOf } from '../exit.ts';
import { cancelRun, keptOf, steer } from '../steering.ts';
import { takeUp } from '../takeUp.ts';
import { findRun, noWorker, workerPolls } from '../temporal.ts';
import { note, print, printJson } from '../terminal.ts';

export function pauseCommand(): Command {
  return new Command('pause')
    .description('pause a run: the step at work ends, the next one waits')
    .argument('<run>', 'name of a run')
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', '\nExample: reiterate pause my-run')
    .action((run: string, options: { json?: boolean }) => answered(run, options, 'pause'));
}

export function resumeCommand(): Command {
  return new Command('resume')
    .description('go on with a run that is paused, or that ended before it was done')
    .argument('<run>', 'name or runKey of a run')
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      `
A run that failed, was stopped, or is no longer known to Temporal goes on from
its newest committed generation, under the same runKey and to the same bits. An
evaluation that is missing there, the last one too, is made first.

Example: reiterate resume my-run`,
    )
    .action(resume);
}

async function resume(run: string, options: { json?: boolean }): Promise<void> {
  await withTemporal(async (temporal) => {
    const known = await findRun(temporal, run);
    if (known?.open) return answered(run, options, 'resume');
    const { runKey, generation } = await takeUp(await openStore(), temporal, run);
    const message = `${runKey} goes on after generation ${generation}.`;
    tell({ status: 'running', generation, message }, options);
    if (!(await workerPolls(temporal))) note(`It waits: ${noWorker}.`);
  });
}

interface StopOptions {
  json?: boolean;
  after?: number;
  now?: boolean;
}

export function stopCommand(): Command {
  return new Command('stop')
    .description('end a run when the generation at work is committed')
    .argument('<run>', 'name of a run')
    .option('--after <generation>', 'end after this generation instead', wholeNumber)
    .option('--now', 'cancel at once; the generation at work is lost, committed ones are kept')
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      `
A paused run goes on to its end at once; with --after a later generation it
stays paused until it is resumed.

Example: reiterate stop my-run --after 10`,
    )
    .action(async (run: string, options: StopOptions) => {
      if (options.now) await stopNow(run, options);
      else await answered(run, options, 'stopAfterGeneration', options.after);
    });
}

async function stopNow(run: string, options: StopOptions): Promise<void> {
  await withTemporal(async (temporal) => {
    const ended = await cancelRun(temporal, run);
    try {
      tell(await keptOf(await openStore(), ended), options);
    } catch (error) {
      const why = describeError(error, false);
      throw new CommandFailure(exitCodeOf(error), `'${run}' has stopped. What is kept of it: ${why}`, {
        cause: error,
      });
    }
  });
}

async function answered(
  run: string,
  options: { json?: boolean },
  update: Parameters<typeof steer>[2],
  generation?: number,
): Promise<void> {
  await withTemporal(async (temporal) => {
    tell(await steer(temporal, run, update, generation), options);
  });
}

function tell(answer: SteeringAnswer, options: { json?: boolean }): void {
  if (options.json) printJson(answer);
  else print(answer.message);
}
