import { readFile } from 'node:fs/promises';
import type { RunConfig } from '../workflows/contract/config.ts';
import { withSetting } from '../workflows/contract/settings.ts';
import { parseRunConfig } from '../workflows/contract/validate.ts';
import { CommandFailure, exitCodes } from './exit.ts';

/**
 * A checked run configuration from a JSON file.
 *
 * @param overrides `path=value` settings, applied before the check: `training.learningRate=1e-4`
 */
export async function readRunConfig(file: string, overrides: readonly string[]): Promise<RunConfig> {
  const input = overrides.reduce(override, await readJsonFile(file));
  const parsed = parseRunConfig(input);
  if (parsed.ok) return parsed.config;
  if (typeof input === 'object' && input !== null && 'arms' in input)
    throw new CommandFailure(
      exitCodes.usage,
      `${file} is an ablation, not a run configuration: \`reiterate ablation start ${file}\`.`,
    );
  throw new CommandFailure(
    exitCodes.usage,
    [`${file} is not a run configuration:`, ...parsed.problems.map((problem) => `  ${problem}`)].join('\n'),
  );
}

/** @throws `CommandFailure` when there is no such file, or it is not JSON. */
export async function readJsonFile(file: string): Promise<unknown> {
  const text = await readTextFile(file);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new CommandFailure(exitCodes.usage, `${file} is not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** @throws `CommandFailure` when there is no such file. */
export async function readTextFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new CommandFailure(exitCodes.notFound, `There is no file ${file}.`, { cause });
    throw new CommandFailure(exitCodes.notFound, `${file} cannot be read: ${message}`, { cause });
  }
}

/** The value is JSON when it can be read so, else text: `seed=7`, `strategy=grpo`, `training.adamBetas=[0.9,0.99]`. */
export function override(config: unknown, setting: string): unknown {
  const split = /^([^=]+)=(.*)$/s.exec(setting);
  if (!split)
    throw new CommandFailure(
      exitCodes.usage,
      `--set takes path=value, such as training.learningRate=1e-4; got '${setting}'.`,
    );
  const [, path, text] = split as unknown as [string, string, string];
  return withSetting(config, path.trim(), valueOf(text));
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
