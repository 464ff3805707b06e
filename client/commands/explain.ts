import { Command } from 'commander';
import { assumptions, type Assumption, type Part } from '../../activities/curriculum/assumptions/index.ts';
import { rulesOf, strategyInWords, type Rule } from '../../activities/curriculum/method/index.ts';
import { paperValues, type PaperValue } from '../../activities/curriculum/paper.ts';
import { rewardModeOf } from '../../activities/curriculum/rewards.ts';
import { openDomain } from '../../activities/domains/open.ts';
import type { Domain } from '../../activities/domains/domain.ts';
import type { RunConfig } from '../../workflows/contract/config.ts';
import { keepsBuffer, SelectionConfig } from '../../workflows/contract/selection.ts';
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
  /** What the paper prints, beside what the configuration says: `–` for what its strategy has not. */
  paper: (PaperValue & { value: string })[];
  /** What it leaves open, or a preset changes, and the values here: none for what is fixed in the code. */
  assumed: (Assumption & { values: Constant[] })[];
}

/** Everything that `reiterate explain` tells. */
export function explain(config: RunConfig): Explanation {
  const constantAt = (path: string): Constant => ({ path, value: textOf(at(config, path)) });
  const domain = openDomain(config.domain);
  const has = partsOf(config, domain);
  return {
    strategy: config.strategy,
    inWords: strategyInWords(config),
    rules: rulesOf(config, domain.rewardMode).map((rule) => ({
      ...rule,
      constants: rule.constants.map(constantAt),
    })),
    paper: paperValues.map((printed) => ({
      ...printed,
      value: printed.part && !has[printed.part] ? '–' : constantAt(printed.path).value,
    })),
    assumed: assumptions
      .filter(({ part, paths }) => (!part || has[part]) && paths.every((path) => isOf(config, path)))
      .map((assumption) => ({ ...assumption, values: assumption.paths.map(constantAt) })),
  };
}

/** Which parts of the method a configuration has. */
function partsOf({ curriculum, reward, training }: RunConfig, domain: Domain): Record<Part, boolean> {
  return {
    buffer: keepsBuffer(curriculum.selection),
    selfIteration: curriculum.selfIteration,
    diversityBonus: curriculum.diversityBonus !== null,
    improvement: rewardModeOf(reward, domain.rewardMode) === 'improvement',
    kl: training.klCoefficient > 0,
    episodes: domain.maxTurns > 1,
  };
}

/** False for a parameter of another selection than the configuration's. */
function isOf({ curriculum: { selection } }: RunConfig, path: string): boolean {
  const [, parameter] = /^curriculum\.selection\.(.+)$/.exec(path) ?? [];
  return (
    parameter === undefined ||
    SelectionConfig.options.some(
      ({ shape }) => shape.name.value === selection.name && Object.hasOwn(shape, parameter),
    )
  );
}

const at = (config: RunConfig, path: string): unknown =>
  path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | null)?.[key], config);

/** `3e-4` rather than 0.0003. */
function textOf(value: unknown): string {
  if (value === undefined) return 'absent';
  if (typeof value === 'number' && value !== 0 && Math.abs(value) < 1e-3) return value.toExponential();
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function pageOf({ strategy, inWords, rules, paper, assumed }: Explanation): string[] {
  const size = Math.max(...rules.flatMap(({ constants }) => constants.map(({ path }) => path.length)));
  return [
    `${strategy}: ${inWords}`,
    ...rules.flatMap(({ name, formula, source, files, constants }) => [
      '',
      `${name}  (${source})`,
      ...formula.map((line) => `  ${line}`),
      ...fields(
        constants.map(({ path, value }) => [path, value] as const),
        size,
      ).map((line) => `    ${line}`),
      ...wrapped(`in ${files.join(', ')}`, width() - 4).map((line) => `    ${line}`),
    ]),
    '',
    'Printed in the paper (Tables 4-6), beside this configuration',
    ...table(
      ['row', 'here', 'math', 'tool use', 'ML engineering'].map((title) => ({ title, align: 'left' })),
      paper.map(({ row, value, math, tools, mlengineering }) => [row, value, math, tools, mlengineering]),
    ).map((line) => `  ${line}`),
    '',
    'What the paper leaves open, and printed values that the robust presets change',
    ...assumed.flatMap(({ decision, what, values, faithful, robust, why }) => [
      '',
      `  [${decision}] ${what}`,
      ...fields(
        values.map(({ path, value }) => [path, value] as const),
        size,
      ).map((line) => `    ${line}`),
      ...(robust === undefined
        ? wrapped(faithful, width() - 4)
        : [...wrapped(`faithful: ${faithful}`, width() - 4), ...wrapped(`robust: ${robust}`, width() - 4)]
      ).map((line) => `    ${line}`),
      ...wrapped(`Why: ${why}`, width() - 4).map((line) => `    ${line}`),
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
