import { Command, InvalidArgumentError, Option } from 'commander';
import { demandCpus } from '../../activities/policy/engine/cpus.ts';
import { connection } from '../../infra/services/connection.ts';
import { resolveEmbedder } from '../../infra/setup/embedder.ts';
import { resolveModel } from '../../infra/setup/model.ts';
import type { Role } from '../../worker.ts';
import { taskQueues } from '../../workflows/contract/names.ts';
import { onInterrupt } from '../interrupt.ts';
import { openLog } from '../log.ts';
import { note, printJson } from '../terminal.ts';

const allRoles = Object.keys(taskQueues) as Role[];

export function workerCommand(): Command {
  return new Command('worker')
    .description('run a worker in the foreground: it makes the generations; Ctrl-C drains it')
    .option('--roles <roles>', `which of ${allRoles.join(', ')} it does`, parseRoles, allRoles)
    .addOption(
      new Option('--cpus <list>', 'the CPUs its engines stay on, such as 0-3,8; any when left out (Linux)')
        .env('REITERATE_CPUS')
        .argParser(parseCpus),
    )
    .option('--json', 'print one JSON object when it is ready')
    .addHelpText(
      'after',
      '\nIts log goes to stderr. A step stopped here starts again on another worker.\n\nExample: reiterate worker --roles run,evaluate',
    )
    .action(async (options: { roles: Role[]; cpus?: string; json?: boolean }) => {
      const { temporal, store } = await connection();
      const interrupt = onInterrupt();
      // Started by `demo`: the end of its channel means that it is gone.
      const parentGone = new AbortController();
      process.once('disconnect', () => parentGone.abort());
      const signal = AbortSignal.any([interrupt.signal, parentGone.signal]);
      signal.addEventListener('abort', () => note('Stopping after the mini-step at work.'));
      // Temporal's native core is loaded only for this.
      const { runWorker } = await import('../../worker.ts');
      await runWorker({
        temporal,
        store,
        resolveModel: (name) => resolveModel(name, note),
        resolveEmbedder: (name) => resolveEmbedder(name, note),
        roles: options.roles,
        cpus: options.cpus,
        log: openLog(),
        signal,
        onReady: () => {
          process.send?.('ready');
          if (options.json) printJson({ ready: true, roles: options.roles });
          else note(`Worker ready (${options.roles.join(', ')}); Ctrl-C stops it.`);
        },
      });
      interrupt.done();
      if (process.connected) process.disconnect();
    });
}

function parseRoles(text: string): Role[] {
  return text.split(',').map((name) => {
    const role = allRoles.find((known) => known === name.trim());
    if (!role) throw new InvalidArgumentError(`It takes ${allRoles.join(', ')}, separated by commas.`);
    return role;
  });
}

function parseCpus(list: string): string {
  try {
    demandCpus(list);
    return list;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}
