import type { Command } from 'commander';
import { sha256 } from '../activities/artifacts/canonical.ts';
import { keys } from '../activities/artifacts/keys.ts';
import type { Store } from '../activities/artifacts/store.ts';
import { parseProblems } from '../activities/domains/problems/parse.ts';
import type { ProblemFile, SelfImproveRequest } from '../workflows/contract/evaluation.ts';
import type { StepProgress } from '../workflows/contract/progress.ts';
import { countingNumber, shareNumber, temperatureNumber, wholeNumber } from './arguments.ts';
import { readRunConfig, readTextFile } from './config.ts';
import { CommandFailure, exitCodes } from './exit.ts';

/** What `evaluate` and `improve` have in common: whose policy, and how it plays. */
export interface PlayingOptions {
  config?: string;
  generation?: number;
  problems?: string;
  instruction?: string;
  depth?: number;
  samples?: number;
  temperature?: number;
  topK?: number;
  topP?: number;
  maxNewTokens?: number;
  seed?: number;
  id?: string;
  json?: boolean;
}

/** Declares them on a command. */
export function playingOptions(command: Command): Command {
  return command
    .argument('[run]', 'whose policy: name of a run (its newest), or a runKey')
    .option('--generation <number>', 'after which generation; the newest when left out', wholeNumber)
    .option('--config <file>', 'instead of a run: the untrained policy of this configuration')
    .option('--instruction <text>', 'follows every question of --problems')
    .option('--depth <K>', 'steps after the first answer; as configured when left out', wholeNumber)
    .option('--samples <number>', 'answers a problem gets', countingNumber)
    .option('--temperature <number>', '0: always the likeliest token', temperatureNumber)
    .option('--top-k <number>', 'only the k likeliest tokens', countingNumber)
    .option('--top-p <share>', 'only the likeliest tokens of this share', shareNumber)
    .option('--max-new-tokens <number>', 'most tokens of an answer', countingNumber)
    .option('--seed <number>', 'of everything random in it', wholeNumber);
}

/** The request that the options make, but for the problems. */
export async function playedAs(
  run: string | undefined,
  options: PlayingOptions,
): Promise<Omit<SelfImproveRequest, 'problems'>> {
  const { config, generation, depth, samples, temperature, topK, topP, maxNewTokens, seed, id } = options;
  if ((run === undefined) === (config === undefined))
    throw new CommandFailure(
      exitCodes.usage,
      'Whose policy? Name a run, or give --config for an untrained one.',
    );
  if (config !== undefined && generation !== undefined)
    throw new CommandFailure(exitCodes.usage, '--generation is of a run; --config has generation 0 only.');
  return {
    policy: {
      ...(run !== undefined && { run }),
      ...(generation !== undefined && { generation }),
      ...(config !== undefined && { config: await readRunConfig(config, []) }),
    },
    ...(id !== undefined && { name: id }),
    ...(depth !== undefined && { depth }),
    ...(samples !== undefined && { samplesPerTask: samples }),
    ...(temperature !== undefined && { temperature }),
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(maxNewTokens !== undefined && { maxNewTokens }),
    ...(seed !== undefined && { seed }),
  };
}

/** Puts a file of problems into the store, under the hash of its bytes, after a look at every line. */
export async function uploadProblems(
  store: Store,
  { problems, instruction }: PlayingOptions,
): Promise<ProblemFile> {
  const text = await readTextFile(problems ?? '');
  if (parseProblems(text.split('\n'), problems ?? '').length === 0)
    throw new CommandFailure(exitCodes.usage, `${problems} has no problem in it.`);
  const bytes = new TextEncoder().encode(text);
  const file = await store.put(keys.problems(sha256(bytes)), bytes, 'application/x-ndjson');
  return { file, instruction: instruction ?? null };
}

/** `iterate k=3 of 8`. */
export function tellDepth({ step, done, total }: StepProgress): string {
  return done < total ? `${step} k=${done} of ${total - 1}` : step;
}
