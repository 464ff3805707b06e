import { Command } from 'commander';
import { EvaluationSummary } from '../../activities/artifacts/evaluation.ts';
import { parseJson } from '../../activities/artifacts/canonical.ts';
import { DomainConfig } from '../../workflows/contract/domain.ts';
import type { EvaluationResult } from '../../workflows/contract/evaluationSteps.ts';
import type { EvaluationRequest } from '../../workflows/contract/evaluation.ts';
import type { StepProgress } from '../../workflows/contract/progress.ts';
import { parse } from '../../workflows/contract/validate.ts';
import { countingNumber, runName } from '../arguments.ts';
import { readJsonFile } from '../config.ts';
import { openStore, withTemporal } from '../connect.ts';
import { CommandFailure, exitCodes } from '../exit.ts';
import { runJob } from '../job.ts';
import { playedAs, playingOptions, tellDepth, uploadProblems, type PlayingOptions } from '../playing.ts';
import { percent, print, printJson, table, timestamp } from '../terminal.ts';

interface Options extends PlayingOptions {
  domain?: string;
  tasks?: number;
  baselines?: boolean;
}

export function evaluateCommand(): Command {
  return playingOptions(new Command('evaluate'))
    .description('K-step self-improvement of a policy on held-out problems: accuracy at k = 0…K')
    .option('--problems <file>', 'problems of your own: JSON lines with id, question, answer')
    .option(
      '--domain <file>',
      'the held-out problems of another domain: a JSON file like `domain` of a preset',
    )
    .option('--tasks <number>', 'only the first so many problems', countingNumber)
    .option('--baselines', 'also play independent answers at equal tokens')
    .option('--id <name>', 'name of the evaluation', runName)
    .option('--json', 'print the summary as JSON')
    .addHelpText(
      'after',
      `
Without --problems and --domain it plays what the run holds out. The record is
kept beside the run, under evaluations/<generation>-<name>/.

Example: reiterate evaluate my-run --depth 8 --samples 4 --baselines`,
    )
    .action(async (run: string | undefined, options: Options) => {
      if (options.instruction !== undefined && options.problems === undefined)
        throw new CommandFailure(exitCodes.usage, '--instruction goes with --problems.');
      const store = await openStore();
      const request: EvaluationRequest = {
        ...(await playedAs(run, options)),
        ...(options.domain !== undefined && { domain: await readDomain(options.domain) }),
        ...(options.problems !== undefined && { problems: await uploadProblems(store, options) }),
        ...(options.tasks !== undefined && { tasks: options.tasks }),
        ...(options.baselines && { baselines: true }),
      };
      const id = options.id ?? `eval-${timestamp()}`;
      await withTemporal(async (temporal) => {
        const result = await runJob<EvaluationResult, StepProgress>(temporal, {
          type: 'evaluation',
          id,
          input: request,
          summary: `evaluation of ${run ?? options.config}`,
          tell: tellDepth,
        });
        if (!result) {
          process.exitCode = exitCodes.interrupted;
          return;
        }
        const { summary } = result;
        const read = parseJson(await store.read(summary), EvaluationSummary, summary.key);
        if (options.json) printJson({ ...result, ...read });
        else print(...evaluationView(read), '', summary.key);
      });
    });
}

async function readDomain(file: string): Promise<DomainConfig> {
  const parsed = parse(DomainConfig, await readJsonFile(file), file);
  if (parsed.ok) return parsed.value;
  throw new CommandFailure(exitCodes.usage, [`${file} is not a domain:`, ...parsed.problems].join('\n  '));
}

/** The curve as a table; beside it what the tokens buy otherwise. */
export function evaluationView({
  depths,
  delta,
  baselines,
  baselinesFailed,
  tasks,
  samplesPerTask,
}: EvaluationSummary): string[] {
  const right = (title: string) => ({ title, align: 'right' as const });
  const share = ({ value }: { value: number }) => percent(value);
  const points = (value: number) => `${value >= 0 ? '+' : '−'}${(100 * Math.abs(value)).toFixed(1)}`;
  const anyFailed = depths.some(({ failed }) => failed !== undefined);
  const lines = table(
    [
      right('k'),
      right('accuracy'),
      right('95 % interval'),
      right(`pass@${samplesPerTask}`),
      right('same again'),
      right('right so far'),
      right('corrected'),
      right('broken'),
      right('tokens'),
      ...(anyFailed ? [right('not graded')] : []),
    ],
    depths.map(({ k, accuracy, low, high, pass, unchanged, reached, corrected, broken, tokens, failed }) => [
      String(k),
      percent(accuracy),
      `${percent(low)} – ${percent(high)}`,
      percent(pass),
      unchanged === undefined ? '–' : percent(unchanged),
      reached === undefined ? '–' : percent(reached),
      String(corrected),
      String(broken),
      tokens.toLocaleString('en-US'),
      ...(anyFailed ? [String(failed ?? 0)] : []),
    ]),
  );
  if (anyFailed) lines.push('', 'What the grader could not grade counts as wrong.');
  const last = depths.at(-1)?.k ?? 0;
  lines.push(
    '',
    `${tasks} problems × ${samplesPerTask}; Δ from k = 0 to ${last}: ${points(delta.value)} points (${points(delta.low)} to ${points(delta.high)})`,
  );
  if (baselines)
    lines.push(
      '',
      'Independent answers. Resampling: any one of them. Majority and best of n: of as many as have no more',
      'tokens than the iterates up to k; a verifier must choose the best:',
      ...table(
        [
          right('k'),
          right('answers'),
          right('resampling'),
          right('majority'),
          right('best of n'),
          right('iterates: majority'),
          right('best'),
        ],
        baselines.map((at) => [
          String(at.k),
          at.answers.toFixed(1),
          share(at.resampling),
          share(at.majority),
          share(at.bestOf),
          share(at.majorityOfIterates),
          share(at.bestOfIterates),
        ]),
      ),
      ...(baselinesFailed === undefined
        ? []
        : [`${baselinesFailed} independent answers could not be graded; they count as wrong.`]),
    );
  return lines;
}
