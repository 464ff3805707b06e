import { TypedFailure } from '../workflows/contract/failures.ts';
import { answered } from './curriculum/identity.ts';
import type { History, Instance, Message } from './curriculum/types.ts';
import type { Domain } from './domains/domain.ts';

/** Where an episode stands after an answer. */
export interface Standing {
  /** Its last turn is answered. */
  history: History;
  /** What the policy is asked next; null: the episode is over. */
  next: Message[] | null;
}

/**
 * Answers the last turn of a history, for the first time or anew, and asks the domain what follows. An episode is over
 * when the domain says so, and after `maxTurns` turns at the latest.
 */
export function reply(domain: Domain, taskId: string, history: History, response: string): Standing {
  const observed = domain.observe(taskId, answered(history, response));
  return {
    history: answered(history, response, observed.feedback),
    next: observed.done || history.length >= domain.maxTurns ? null : observed.request,
  };
}

/** The history with another turn, not answered yet. */
export function asked(history: History, request: Message[]): History {
  return [...history, { request, response: null, feedback: null }];
}

/**
 * The history that an episode's answers make, from the instance it started at. What the environment said is worked out
 * again: it is a function of the answers, and they alone are kept.
 *
 * @param answers in the order in which they were given; of several to one turn the last counts.
 * @throws `ArtifactCorrupt` when they do not fit to what the domain asks.
 */
export function historyOf(
  domain: Domain,
  { baseTaskId, history }: Instance,
  answers: readonly { rolloutId: string; turn: number; completion: string }[],
): History {
  let standing: Standing = { history, next: null };
  for (const { rolloutId, turn, completion } of answers) {
    if (turn === standing.history.length && standing.next)
      standing.history = asked(standing.history, standing.next);
    if (turn !== standing.history.length - 1)
      throw new TypedFailure(
        'ArtifactCorrupt',
        `rollout ${rolloutId} has an answer to turn ${turn + 1} of '${baseTaskId}', which the ${domain.name} domain does not ask for; it must be the domain that the rollouts were played with`,
      );
    standing = reply(domain, baseTaskId, standing.history, completion);
  }
  return standing.history;
}

/** Rows by rollout, in order: the answer to its prompt, then the answers of the turns that were played after it. */
export function episodesOf<Row extends { rolloutId: string }>(rows: readonly Row[]): [Row, ...Row[]][] {
  const episodes = new Map<string, [Row, ...Row[]]>();
  for (const row of rows) {
    const episode = episodes.get(row.rolloutId);
    if (episode) episode.push(row);
    else episodes.set(row.rolloutId, [row]);
  }
  return [...episodes.values()];
}
