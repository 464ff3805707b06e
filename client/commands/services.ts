import { Command } from 'commander';
import { down, status, up, type ServiceStatus } from '../../infra/services/services.ts';
import { exitCodes } from '../exit.ts';
import { duration, fields, note, print, printJson } from '../terminal.ts';

interface Options {
  json?: boolean;
}

export function upCommand(): Command {
  return new Command('up')
    .description('set up and start the local services: Temporal and MinIO')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nWhat runs already stays; data is kept between starts.\n\nExample: reiterate up')
    .action(async (options: Options) => {
      const started = performance.now();
      const { folder, services } = await up({ report: note });
      if (options.json) return printJson({ folder, services });
      print(...services.flatMap(describeService));
      note(`Up in ${duration(performance.now() - started)}. Stop with \`reiterate down\`.`);
    });
}

export function downCommand(): Command {
  return new Command('down')
    .description('stop the local services; their data stays')
    .option('--erase', 'remove their data, logs and credentials too: all runs are gone then')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample: reiterate down')
    .action(async (options: Options & { erase?: boolean }) => {
      await down({ report: note, erase: options.erase ?? false });
      if (options.json) printJson({ services: await status() });
    });
}

export function statusCommand(): Command {
  return new Command('status')
    .description('show the local services; exit code 3 when one does not run')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample: reiterate status --json')
    .action(async (options: Options) => {
      const services = await status();
      if (options.json) printJson({ services });
      else print(...services.flatMap(describeService));
      if (services.some(({ state }) => state !== 'running')) process.exitCode = exitCodes.unreachable;
    });
}

function describeService({ name, state, detail, address, webUrl, pid, log }: ServiceStatus): string[] {
  const about: [string, string][] = [[name, pid === null ? state : `${state}, process ${pid}`]];
  if (detail) about.push(['  detail', detail]);
  if (address) about.push(['  address', address], ['  browser', webUrl ?? '–'], ['  log', log]);
  return fields(about, '  address'.length);
}
