import { Command } from 'commander';
import { AblationTable } from '../../activities/artifacts/ablation.ts';
import { parseJson } from '../../activities/artifacts/canonical.ts';
import { keys } from '../../activities/artifacts/keys.ts';
import type { Store } from '../../activities/artifacts/store.ts';
import {
  parseAblation,
  type AblationProgress,
  type AblationResult,
} from '../../workflows/contract/ablation.ts';
import { ablationView } from '../ablation.ts';
import { runName } from '../arguments.ts';
import { readJsonFile } from '../config.ts';
import { openStore, withTemporal } from '../connect.ts';
import { CommandFailure, exitCodes } from '../exit.ts';
import { runJob } from '../job.ts';
import { pageFile, writeOut } from '../reportFile.ts';
import { note, print, printJson } from '../terminal.ts';

interface ShowOptions {
  out?: string;
  json?: boolean;
}

export function ablationCommand(): Command {
  const command = new Command('ablation').description(
    'compare strategies: the same training with some settings changed, several seeds each',
  );
  command.addCommand(
    new Command('start')
      .description('make all runs and evaluations of an ablation, and show its table and page')
      .argument('<file>', 'JSON file, such as presets/ablations/ladder.json')
      .requiredOption('--id <name>', 'name of the ablation; its runs are <name>-<arm>-<seed>', runName)
      .option('--out <file>', 'page to write; out/<name>.html when left out')
      .option('--json', 'print the table as JSON')
      .addHelpText(
        'after',
        `
Ctrl-C leaves it at work, and the same command follows it again. An ablation
that failed or was ended goes on where its runs were, when it is started again.

Example: reiterate ablation start presets/ablations/ladder.json --id ladder`,
      )
      .action(async (file: string, { id, ...options }: ShowOptions & { id: string }) => {
        const input = await readJsonFile(file);
        const parsed = parseAblation(input, id);
        if (!parsed.ok)
          throw new CommandFailure(
            exitCodes.usage,
            [`${file} is not an ablation:`, ...parsed.problems].join('\n  '),
          );
        const store = await openStore();
        await withTemporal(async (temporal) => {
          const result = await runJob<AblationResult, AblationProgress>(temporal, {
            type: 'ablation',
            id,
            input,
            summary: `${parsed.value.runs.length} runs`,
            tell,
            again: true,
          });
          if (!result) {
            process.exitCode = exitCodes.interrupted;
            return;
          }
          for (const { id, state, failure } of result.runs)
            if (state === 'failed') note(`${id} failed: ${failure}`);
          await show(store, await readTable(store, id), options);
          if (result.runs.some(({ state }) => state === 'failed')) process.exitCode = exitCodes.failed;
        });
      }),
  );
  command.addCommand(
    new Command('show')
      .description('show the table of an ablation from its record, and write its page')
      .argument('<name>', 'name of a finished ablation')
      .option('--out <file>', 'page to write; out/<name>.html when left out')
      .option('--json', 'print the table as JSON')
      .addHelpText('after', '\nExample: reiterate ablation show ladder')
      .action(async (name: string, options: ShowOptions) => {
        const store = await openStore();
        await show(store, await readTable(store, name), options);
      }),
  );
  return command;
}

async function show(store: Store, table: AblationTable, { out, json }: ShowOptions): Promise<void> {
  // The plotting libraries are loaded only for this.
  const { ablationPage } = await import('../report/ablation.ts');
  const html = ablationPage(table);
  await store.overwrite(
    keys.ablationPage(table.key),
    new TextEncoder().encode(html),
    'text/html; charset=utf-8',
  );
  const file = await writeOut(out ?? pageFile(table.key), html);
  if (json) printJson({ ...table, file });
  else print(...ablationView(table), '', file);
}

async function readTable(store: Store, name: string): Promise<AblationTable> {
  const key = keys.ablationTable(name);
  const found = await store.find(key);
  if (!found) throw new CommandFailure(exitCodes.notFound, `No finished ablation '${name}' in the record.`);
  return parseJson(found.bytes, AblationTable, key);
}

/** `3 of 15 runs done; training ladder-exit-2`. */
function tell({ runs }: AblationProgress): string {
  const done = runs.filter(({ state }) => state === 'done').length;
  const atWork = runs.filter(({ state }) => ['training', 'paused', 'evaluating'].includes(state));
  const failed = runs.filter(({ state }) => state === 'failed').length;
  return [
    `${done} of ${runs.length} runs done`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...atWork.map(({ id, state, failure }) => `${state} ${id}${failure ? `: ${failure}` : ''}`),
  ].join('; ');
}
