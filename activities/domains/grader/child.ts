import { once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { Worker } from 'node:worker_threads';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { Domain, OpenDomain } from '../domain.ts';
import type { FromGrader, ToGrader } from './process.ts';

/**
 * A grader process: opens the domain of each batch and grades its items one after the other. It keeps no state that
 * matters and may be killed at any time. It never outlives its parent: a watching thread sees to that even when a
 * grader loops for ever.
 */
const [, , domainModule] = process.argv;
const { openDomain } = (await import(domainModule!)) as { openDomain: OpenDomain };

const watcher = new Worker(
  `const parent = process.ppid;
   setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL'); }, 500);
   require('node:worker_threads').parentPort.postMessage('watching');`,
  { eval: true, execArgv: [] },
);
// Its start needs this thread, which a grader may block for ever.
await once(watcher, 'message');
watcher.unref();
process.on('disconnect', () => process.exit(0));
// Ctrl-C at a terminal reaches every process of it; the parent decides when its graders end.
process.on('SIGINT', () => {});

let opened: { config: ToGrader['config']; domain: Domain } | null = null;

const tell = (message: FromGrader) => process.send!(message);

process.on('message', ({ config, items }: ToGrader) => {
  void (async () => {
    try {
      if (!isDeepStrictEqual(opened?.config, config)) opened = { config, domain: openDomain(config) };
    } catch (error) {
      tell({
        kind: 'refused',
        type: error instanceof TypedFailure ? error.type : 'GraderUnavailable',
        message: messageOf(error),
      });
      return;
    }
    tell({ kind: 'opened' });
    for (const { taskId, history } of items) {
      try {
        const grade = await opened!.domain.grade(taskId, history);
        // NaN fails this as well.
        if (!(grade.quality >= 0 && grade.quality <= 1))
          throw new Error(`the grader gave quality ${grade.quality}, which is not in [0, 1]`);
        tell({ kind: 'answer', answer: { grade } });
      } catch (error) {
        tell({ kind: 'answer', answer: { error: messageOf(error) } });
      }
    }
  })();
});
tell({ kind: 'ready' });

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
