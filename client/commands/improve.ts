import { Command } from 'commander';
import type { StepProgress } from '../../workflows/contract/progress.ts';
import type { SelfImproveResult } from '../../workflows/contract/evaluationSteps.ts';
import type { SelfImproveRequest } from '../../workflows/contract/evaluation.ts';
import { runName } from '../arguments.ts';
import { openStore, withTemporal } from '../connect.ts';
import { exitCodes } from '../exit.ts';
import { runJob } from '../job.ts';
import { playedAs, playingOptions, tellDepth, uploadProblems, type PlayingOptions } from '../playing.ts';
import { writeOut } from '../reportFile.ts';
import { fields, print, printJson, timestamp } from '../terminal.ts';

interface Options extends PlayingOptions {
  problems: string;
  out?: string;
}

export function improveCommand(): Command {
  return playingOptions(new Command('improve'))
    .description('let a trained policy answer your problems and improve its answers K times')
    .requiredOption(
      '--problems <file>',
      'JSON lines with id, question, and answer (null when nobody knows it)',
    )
    .option('--out <file>', 'file to write; <name>.jsonl when left out')
    .option('--id <name>', 'name of the job', runName)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
A line of the file is a problem's answer after K steps, with every iterate
before it. The rest of the record (token ids, log-probs, seeds) is kept beside
the run, under evaluations/<generation>-<name>/.

Example: reiterate improve my-run --problems mine.jsonl --depth 4`,
    )
    .action(async (run: string | undefined, options: Options) => {
      const store = await openStore();
      const request: SelfImproveRequest = {
        ...(await playedAs(run, options)),
        problems: await uploadProblems(store, options),
      };
      const id = options.id ?? `improve-${timestamp()}`;
      await withTemporal(async (temporal) => {
        const result = await runJob<SelfImproveResult, StepProgress>(temporal, {
          type: 'selfImprove',
          id,
          input: request,
          summary: `self-improvement with ${run ?? options.config}`,
          tell: tellDepth,
        });
        if (!result) {
          process.exitCode = exitCodes.interrupted;
          return;
        }
        const file = await writeOut(options.out ?? `${id}.jsonl`, await store.read(result.answers));
        if (options.json) printJson({ ...result, file });
        else
          print(
            ...fields([
              ['answers', file],
              ['problems', String(result.problems)],
              ['changed', `${result.changed} answers are not as they were at first`],
              ['record', result.answers.key],
            ]),
          );
      });
    });
}
