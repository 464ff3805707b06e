import { Command } from 'commander';
import { assumptions, type Assumption } from '../../activities/curriculum/assumptions.ts';
import { rulesOf, strategyInWords, type Rule } from '../../activities/curriculum/method.ts';
import { paperValues, type PaperValue } from '../../activities/curriculum/paper.ts';
import type { RunConfig } from '../../workflows/contract/config.ts';
import { repeated } from '../arguments.ts';
import { readRunConfig } from '../config.ts';
import { fields, print, printJson, table, width } from '../terminal.ts';

export function explainCommand(): Command {
  return new Command('explain')
    .description('say what a configuration does: each formula with its constants and source')
    .argument('<config>', 'JSON file, such as presets/exit-faithful.json')
    .option('--set <path=value>', 'override a setting; may be repeated', repeated)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample: reiterate explain presets/exit-faithful.json')
    .action(async (file: string, options: { set?: string[]; json?: boolean }) => {
      const config = await readRunConfig(file, options.set ?? []);
      const explanation = explain(config);
      if (options.json) printJson(explanation);
      else print(...pageOf(explanation));
    });
}

interface Constant {
  path: string;
  value: string;
}

export interface Explanation {
  strategy: string;
  inWords: string;
  rules: (Omit<Rule, 'constants'> & { constants: Constant[] })[];
  /** What the paper prints, beside what the configuration says. */
  paper: (PaperValue & { value: string })[];
  /** What it leaves open, and the value here: null for what is fixed in the code, or left out. */
  assumed: (Assumption & { value: string | null })[];
}

/** Everything that `reiterate explain` tells. */
export function explain(config: RunConfig): Explanation {
  const valueAt = (path: string) => textOf(at(config, path));
  return {
    strategy: config.strategy,
    inWords: strategyInWords(config),
    rules: rulesOf(config).map((rule) => ({
      ...rule,
      constants: rule.constants.map((path) => ({ path, value: valueAt(path) })),
    })),
    paper: paperValues.map((printed) => ({ ...printed, value: valueAt(printed.path) })),
    assumed: assumptions.flatMap((assumption) => {
      const { path } = assumption;
      const paths = (path?.split(', ') ?? []).filter((one) => at(config, one) !== undefined);
      // A parameter of another selection strategy.
      if (path?.startsWith('curriculum.selection.') && paths.length === 0) return [];
      return [{ ...assumption, value: paths.length > 0 ? paths.map(valueAt).join(', ') : null }];
    }),
  };
}

const at = (config: RunConfig, path: string): unknown =>
  path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | null)?.[key], config);

/** `3e-4` rather than 0.0003. */
function textOf(value: unknown): string {
  if (typeof value === 'number' && value !== 0 && Math.abs(value) < 1e-3) return value.toExponential();
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function pageOf({ strategy, inWords, rules, paper, assumed }: Explanation): string[] {
  const size = Math.max(...rules.flatMap(({ constants }) => constants.map(({ path }) => path.length)));
  return [
    `${strategy}: ${inWords}`,
    ...rules.flatMap(({ name, formula, source, file, constants }) => [
      '',
      `${name}  (${source})`,
      ...formula.map((line) => `  ${line}`),
      ...fields(
        constants.map(({ path, value }) => [path, value] as const),
        size,
      ).map((line) => `    ${line}`),
      `    in ${file}`,
    ]),
    '',
    'Printed in the paper (Tables 4-6), beside this configuration',
    ...table(
      ['row', 'here', 'math', 'tool use', 'ML engineering'].map((title) => ({ title, align: 'left' })),
      paper.map(({ row, value, math, tools, mlengineering }) => [row, value, math, tools, mlengineering]),
    ).map((line) => `  ${line}`),
    '',
    'Assumed: what the paper does not print',
    ...assumed.flatMap(({ path, what, value, chosen, why }) => [
      `  ${what}${path ? ` (${path})` : ''}`,
      ...(value === null ? [] : [`    here: ${value}`]),
      ...wrapped(`ours: ${chosen}; ${why}`, width() - 4).map((line) => `    ${line}`),
    ]),
  ];
}

/** Lines of at most `size` characters, broken between words. */
function wrapped(text: string, size: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!;
    if (line && line.length + 1 + word.length > size) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines;
}
