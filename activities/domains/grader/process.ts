import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { DomainConfig } from '../../../workflows/contract/domain.ts';
import { TypedFailure, type FailureType } from '../../../workflows/contract/failures.ts';
import type { History } from '../../curriculum/types.ts';
import { ifSilentFor } from '../../silence.ts';
import type { Grade } from '../domain.ts';

/** A finished history to grade. */
export interface GradeItem {
  taskId: string;
  history: History;
}

/** What became of an item: its grade, or why there is none. */
export type GradeAnswer = { grade: Grade } | { error: string };

/** A batch, graded in order. */
export interface ToGrader {
  config: DomainConfig;
  items: GradeItem[];
}

export type FromGrader =
  | { kind: 'ready' } // the process is up, once
  | { kind: 'opened' } // the batch's domain is open, its first item is being graded
  | { kind: 'refused'; type: FailureType; message: string } // the domain cannot be opened
  | { kind: 'answer'; answer: GradeAnswer }; // the next item of the batch is done

/** How a batch ended; whatever it was, the answers so far have been handed over. */
export type BatchEnd =
  | { kind: 'done' } // every item has its answer
  | { kind: 'hung' } // the next item took longer than allowed, the process was killed
  | { kind: 'died'; opened: boolean; how: string } // the process ended, before or after it opened the domain
  | { kind: 'refused'; failure: TypedFailure }; // the configuration's domain cannot be opened

/** One child process that grades. Killed processes are not restarted; start another. */
export interface Grader {
  alive(): boolean;
  /**
   * Grades a batch; `onAnswer` is called with each item's place, in order. An item has `timeoutMs` from the answer
   * before it. Aborting kills the process, which ends the batch as `died`.
   */
  grade(
    batch: ToGrader,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    onAnswer: (place: number, answer: GradeAnswer) => void,
  ): Promise<BatchEnd>;
  /** Resolves when the process is gone. */
  kill(): Promise<void>;
}

/** Starting a process, loading its code and opening a domain are not the item's fault, so they have their own limit. */
const startTimeoutMs = 60_000;
const silent = `silent for ${startTimeoutMs / 1000} s`;

/**
 * Starts a grader process whose domains come from the module's `openDomain`.
 *
 * @throws `GraderUnavailable`, with what the process wrote to stderr, when it ends or says nothing for a minute.
 */
export async function startGrader(domainModule: URL): Promise<Grader> {
  const child = fork(fileURLToPath(new URL('./child.ts', import.meta.url)), [domainModule.href], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: inheritedEnvironment(),
  });
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-2000)));

  /** Whoever talks with the process at the moment. */
  let onMessage: (message: FromGrader) => void = () => {};
  let ended: string | null = null;
  const gone = new Promise<string>((resolve) => {
    const end = (how: string) => {
      ended ??= how;
      resolve(how);
    };
    child.on('error', (error) => end(error.message));
    child.on('exit', (code, killedBy) => end(killedBy ? `signal ${killedBy}` : `exit code ${code}`));
  });
  child.on('message', (message) => onMessage(message as FromGrader));

  const kill = async () => {
    ended ??= 'killed';
    child.kill('SIGKILL');
    await gone;
  };

  const grader: Grader = {
    alive: () => ended === null,
    kill,
    async grade(batch, timeoutMs, signal, onAnswer) {
      let opened = false;
      let place = 0;
      let cancel = () => {};
      const abort = () => void kill();
      try {
        return await new Promise<BatchEnd>((resolve) => {
          const waitAtMost = (limitMs: number, otherwise: BatchEnd) => {
            cancel();
            cancel = ifSilentFor(limitMs, () => {
              resolve(otherwise);
              void kill();
            });
          };
          onMessage = (message) => {
            switch (message.kind) {
              case 'ready':
                return;
              case 'opened':
                opened = true;
                return waitAtMost(timeoutMs, { kind: 'hung' });
              case 'refused':
                return resolve({
                  kind: 'refused',
                  failure: new TypedFailure(message.type, message.message),
                });
              case 'answer':
                onAnswer(place++, message.answer);
                if (place === batch.items.length) resolve({ kind: 'done' });
                else waitAtMost(timeoutMs, { kind: 'hung' });
            }
          };
          void gone.then((how) => resolve({ kind: 'died', opened, how }));
          signal?.addEventListener('abort', abort);
          waitAtMost(startTimeoutMs, { kind: 'died', opened, how: silent });
          // A process that is gone cannot be written to; `gone` then ends the batch.
          child.send(batch, () => {});
        });
      } finally {
        cancel();
        signal?.removeEventListener('abort', abort);
        onMessage = () => {};
      }
    },
  };

  let cancel = () => {};
  const problem = await Promise.race([
    new Promise<null>((resolve) => (onMessage = () => resolve(null))),
    gone,
    new Promise<string>((resolve) => {
      cancel = ifSilentFor(startTimeoutMs, () => resolve(silent));
    }),
  ]);
  cancel();
  onMessage = () => {};
  if (problem === null) return grader;
  await kill();
  throw new TypedFailure(
    'GraderUnavailable',
    `the grader process could not be started (${problem}): ${stderr.trim() || 'it wrote nothing to stderr'}`,
  );
}

/** Graders run what a model wrote, so they get no more of our environment than Node needs: no credentials. */
function inheritedEnvironment(): NodeJS.ProcessEnv {
  const names = ['PATH', 'HOME', 'TMPDIR', 'NODE_OPTIONS', 'LANG'];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}
