import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { History, Instance, Message } from './types.ts';

/**
 * Identity of an instance: SHA-256 of the canonical JSON of (base task, turn, history).
 *
 * Content decides: two rollouts with the same answer lead to the same instance. The depth k, the quality and the
 * parent are how an instance came about, not what it is (decision 16), so they are left out. Canonical JSON (RFC
 * 8785) makes the order of keys irrelevant; white space inside a message is content.
 */
export function identityOf(baseTaskId: string, turn: number, history: History): string {
  const content = [
    baseTaskId,
    turn,
    history.map(({ request, response, feedback }) => ({
      request: request.map(({ role, content }) => ({ role, content })),
      response,
      feedback,
    })),
  ];
  return createHash('sha256')
    .update(canonicalize(content) as string)
    .digest('hex');
}

/** An instance with its id and kind worked out: an unanswered turn is a `base` start, an answered one is not. */
export function instanceOf(parts: Omit<Instance, 'id' | 'kind'>): Instance {
  const answeredAlready = parts.history[parts.turn]?.response != null;
  return {
    ...parts,
    id: identityOf(parts.baseTaskId, parts.turn, parts.history),
    kind: answeredAlready ? 'selfIteration' : 'base',
  };
}

/** The start of a base task: its first request, not answered yet. */
export function baseInstance(baseTaskId: string, request: Message[]): Instance {
  return instanceOf({
    baseTaskId,
    turn: 0,
    depth: 0,
    history: [{ request, response: null, feedback: null }],
    quality: null,
    parent: null,
  });
}

/** The history after its last turn got a new iterate; the iterate before it is forgotten (ExIt §3). */
export function answered(history: History, response: string, feedback: string | null = null): History {
  return history.map((turn, index) =>
    index === history.length - 1 ? { ...turn, response, feedback } : turn,
  );
}
