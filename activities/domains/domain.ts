import type { DomainConfig } from '../../workflows/contract/domain.ts';
import { TypedFailure } from '../../workflows/contract/failures.ts';
import type { History, Message } from '../curriculum/types.ts';

export type Split = 'train' | 'heldOut';

/** A problem of a domain's task set. */
export interface BaseTask {
  id: string;
  /** Group of problems for reports, e.g. an arithmetic family or a competition. */
  family: string;
  /** What the policy is first asked. */
  request: Message[];
  /** For audits and reports only; never shown to the policy. */
  gold: string;
  /** Steps of the gold solution, for reports (ExIt §5.3); absent where there is no such number. */
  goldSteps?: number;
}

/**
 * Looks up what a domain made, by task id.
 *
 * @throws `ArtifactCorrupt` for an id that it did not make: the record belongs to another configuration.
 */
export function madeBy<Made>(domain: string, made: ReadonlyMap<string, Made>): (id: string) => Made {
  return (id) => {
    const found = made.get(id);
    if (found === undefined)
      throw new TypedFailure(
        'ArtifactCorrupt',
        `the ${domain} domain of this configuration has no task '${id}'`,
      );
    return found;
  };
}

/** What the environment does after an answer. */
export type Observation =
  | { done: true; feedback: string | null } // the episode is over
  | { done: false; feedback: string | null; request: Message[] }; // another turn

/** What a grader says of a finished history. */
export interface Grade {
  /** In [0, 1]. */
  quality: number;
  /** A word for people: `correct`, `wrong`, `noAnswer`, … */
  verdict: string;
  /** What the grader read as the answer, for the audit. */
  answer: string | null;
}

/**
 * A domain makes prompts, plays turns, verifies, and gives quality. Math, tool use and ML engineering all fit:
 * single-turn domains end after the first answer, tool use goes on with observations, ML engineering gives
 * continuous quality and feedback (an error trace). Everything is a pure function of its arguments except
 * `grade`, which may run programs and is therefore only called inside a grader process that can be killed.
 */
export interface Domain {
  readonly name: string;
  /** Changes whenever grades may change; stored with every grade. */
  readonly graderVersion: string;
  /** ExIt §3: the verified quality itself, or the normalised improvement over the previous iterate. */
  readonly rewardMode: 'verification' | 'improvement';
  /** A completion ends right after any of these. */
  readonly stopStrings: readonly string[];
  /** An episode ends after so many turns at the latest, whatever `observe` says. */
  readonly maxTurns: number;
  taskIds(split: Split): readonly string[];
  /** Throws when the id is unknown. */
  task(id: string): BaseTask;
  /** What follows the last answered turn of `history`. */
  observe(taskId: string, history: History): Observation;
  /** The part of a response that is shown again in a self-iteration prompt. */
  quote(response: string): string;
  /** Quality of the finished history. */
  grade(taskId: string, history: History): Promise<Grade>;
}

/** Opens the domain a configuration names. Cheap enough to call in every activity. */
export type OpenDomain = (config: DomainConfig) => Domain;
