import type { DomainConfig } from '../../../workflows/contract/domain.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { startGrader, type GradeAnswer, type Grader, type GradeItem } from './process.ts';

export type { GradeAnswer, GradeItem } from './process.ts';

/** Processes that grade. Several `grade` calls share them. */
export interface GraderPool {
  /**
   * Grades finished histories; answers in the order of the items. An item that hangs, kills its grader twice or
   * cannot be graded gets an `error`; the others are not affected.
   *
   * @throws `GraderUnavailable` when no grader process can be kept running, `InvalidRunConfig` when the domain refuses
   * the configuration, and the signal's reason when it is aborted.
   */
  grade(
    config: DomainConfig,
    items: readonly GradeItem[],
    options: {
      /** Most milliseconds for one item. */
      timeoutMs: number;
      signal?: AbortSignal | undefined;
      onProgress?: ((done: number, total: number) => void) | undefined;
    },
  ): Promise<GradeAnswer[]>;
  /** Ends the processes; the pool cannot be used afterwards. Without it they keep this process alive. */
  close(): Promise<void>;
}

/** Items sent to a process at once: enough that cheap grades do not wait for messages. */
const largestBatch = 16;

/**
 * A pool of at most `processes` graders, each started when it is first needed and replaced when it had to be killed.
 *
 * @param options.domainModule exports the `openDomain` that the graders use; the project's own unless a test has another.
 */
export function createGraderPool({
  processes = 2,
  domainModule = new URL('../open.ts', import.meta.url),
}: { processes?: number; domainModule?: URL } = {}): GraderPool {
  const { acquire, release, close } = createProcesses(processes, domainModule);

  return {
    close,
    async grade(config, items, { timeoutMs, signal, onProgress }) {
      const answers = new Array<GradeAnswer | undefined>(items.length);
      const queue = [...items.keys()];
      const batchSize = Math.max(1, Math.min(largestBatch, Math.ceil(items.length / processes)));
      const killers = new Set<number>();
      let done = 0;
      let unopened = 0;
      const settle = (index: number, answer: GradeAnswer) => {
        answers[index] = answer;
        onProgress?.(++done, items.length);
      };

      /** Takes one batch to one grader and back; what it could not answer returns to the queue. */
      const gradeBatch = async (grader: Grader) => {
        const batch = queue.splice(0, batchSize);
        const end = await grader.grade(
          { config, items: batch.map((index) => items[index]!) },
          timeoutMs,
          signal,
          (place, answer) => settle(batch[place]!, answer),
        );
        signal?.throwIfAborted();
        const unanswered = batch.filter((index) => answers[index] === undefined);
        const [current] = unanswered;
        queue.unshift(...unanswered);
        switch (end.kind) {
          case 'done':
            return;
          case 'refused':
            throw end.failure;
          case 'hung':
            queue.shift();
            return settle(current!, { error: `grading took longer than ${timeoutMs} ms` });
          case 'died':
            if (!end.opened) {
              if (++unopened > 1)
                throw new TypedFailure(
                  'GraderUnavailable',
                  `grader processes keep dying before they grade anything (${end.how})`,
                );
            } else if (current !== undefined && killers.has(current)) {
              queue.shift();
              settle(current, { error: `the grader process died twice on it (${end.how})` });
            } else if (current !== undefined) killers.add(current);
        }
      };

      const lane = async () => {
        try {
          while (queue.length > 0) {
            const grader = await acquire(signal);
            try {
              signal?.throwIfAborted(); // It may have been while a process was started.
              if (queue.length > 0) await gradeBatch(grader);
            } finally {
              release(grader);
            }
          }
        } catch (error) {
          queue.length = 0; // the other lanes stop after their batch
          throw error;
        }
      };
      signal?.throwIfAborted();
      const lanes = Math.min(processes, Math.ceil(items.length / batchSize));
      await Promise.all(Array.from({ length: lanes }, lane));
      return answers as GradeAnswer[];
    },
  };
}

/** At most `limit` grader processes, handed out one by one, first come first served. */
function createProcesses(limit: number, domainModule: URL) {
  const idle: Grader[] = [];
  const alive = new Set<Grader>();
  const waiting: (() => void)[] = [];
  let places = limit;
  let closed = false;

  return {
    async acquire(signal: AbortSignal | undefined): Promise<Grader> {
      while (places === 0) await new Promise<void>((resolve) => waiting.push(resolve));
      places--;
      try {
        signal?.throwIfAborted();
        if (closed) throw new TypedFailure('GraderUnavailable', 'the grader pool is closed');
        for (let grader = idle.pop(); grader; grader = idle.pop()) {
          if (grader.alive()) return grader;
          alive.delete(grader);
        }
        const grader = await startGrader(domainModule);
        alive.add(grader);
        return grader;
      } catch (error) {
        places++;
        waiting.shift()?.();
        throw error;
      }
    },
    release(grader: Grader): void {
      if (grader.alive()) idle.push(grader);
      else alive.delete(grader);
      places++;
      waiting.shift()?.();
    },
    async close(): Promise<void> {
      closed = true;
      await Promise.all([...alive].map((grader) => grader.kill()));
    },
  };
}
