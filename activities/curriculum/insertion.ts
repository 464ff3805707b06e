import { instanceOf } from './identity.ts';
import type { BufferEntry, Draw, History, Instance, Outcome } from './types.ts';

/** An instance on its way into the buffer, with the score it brings. */
export interface Arrival {
  instance: Instance;
  score: number;
  /** True: S is the parent's. False: S was measured on the instance's own group. */
  inherited: boolean;
}

/**
 * Update of the task buffer B (ExIt §4.1, Algorithm 1): the instance m' that was played enters with its measured S,
 * the instances m+ grown from it with the same S as their parent, and only the top N stay.
 *
 *     B′ = top_N (B ∪ arrivals)   by (S, scoreGeneration, firstGeneration, ordinal), all descending
 *
 * This order is the paper's rule "a full buffer replaces its lowest-scored entry when the new score is ≥ it", applied
 * one arrival after the other, once ties are settled. What the paper leaves open, and our choices:
 * 1. Among equally low scores the oldest *score* leaves first (decision 12): ties are the common case, and
 *    evicting the newest would freeze the buffer.
 * 2. The same content is one entry (decision 16): a second arrival keeps the entry's visits and origin and brings
 *    its newer S. Within one generation a measured S outranks an inherited one.
 * 3. A visit overwrites S (decision 13), also with 0.
 *
 * Pure; the result is in order of entry, by (firstGeneration, ordinal).
 */
export function insert(
  buffer: readonly BufferEntry[],
  arrivals: readonly Arrival[],
  { capacity, generation }: { capacity: number; generation: number },
): BufferEntry[] {
  const entries = new Map(buffer.map((entry) => [entry.instance.id, entry]));
  for (const [ordinal, { instance, score, inherited }] of arrivals.entries()) {
    const known = entries.get(instance.id);
    if (known && inherited && !known.inherited && known.scoreGeneration === generation) continue;
    entries.set(instance.id, {
      instance: known?.instance ?? instance,
      score,
      inherited,
      visits: (known?.visits ?? 0) + (inherited ? 0 : 1),
      firstGeneration: known?.firstGeneration ?? generation,
      scoreGeneration: generation,
      ordinal: known?.ordinal ?? ordinal,
    });
  }
  return [...entries.values()].sort(byRank).slice(0, capacity).sort(byEntry);
}

/** Best first. */
function byRank(a: BufferEntry, b: BufferEntry): number {
  return b.score - a.score || b.scoreGeneration - a.scoreGeneration || byEntry(b, a);
}

function byEntry(a: BufferEntry, b: BufferEntry): number {
  return a.firstGeneration - b.firstGeneration || a.ordinal - b.ordinal;
}

/**
 * The instances m+ that one rollout adds: every per-turn partial history it is the first to reach (decision 19). In a
 * single-turn domain that is one: the answer, to be improved or diverged from.
 *
 * Without self-iteration only base-task prefixes are kept (the `curriculum` strategy): the later turns, each still
 * to be answered; none in a single-turn domain.
 */
export function expand(
  { instance }: Draw,
  { rolloutId, quality, response, feedback, laterTurns }: Outcome,
  selfIteration: boolean,
): Instance[] {
  const { turn, baseTaskId } = instance;
  const history: History = [
    ...instance.history.slice(0, turn),
    { ...instance.history[turn]!, response, feedback: feedback ?? null },
    ...(laterTurns ?? []),
  ];
  const depthsT = [...(instance.earlierDepths ?? []), instance.depth, ...(laterTurns ?? []).map(() => 0)];
  const parent = { instanceId: instance.id, rolloutId };
  const turns = history.map((_, index) => index);
  return selfIteration
    ? turns
        .slice(turn)
        .map((reached) => instanceOf({ ...prefix(baseTaskId, history, depthsT, reached), quality, parent }))
    : turns
        .slice(turn + 1)
        .map((reached) => unanswered({ ...prefix(baseTaskId, history, depthsT, reached), quality, parent }));
}

/**
 * The instance at an earlier turn t′ of another (ExIt §4, Algorithm 1: t′ uniform in 1…t), with the iterate kept for
 * that turn. Without self-iteration t′ is to be answered afresh.
 */
export function truncate(instance: Instance, turn: number, selfIteration: boolean): Instance {
  if (turn === instance.turn) return instance;
  const { baseTaskId, history, earlierDepths = [], quality, parent } = instance;
  const shorter = { ...prefix(baseTaskId, history, earlierDepths, turn), quality, parent };
  return selfIteration ? instanceOf(shorter) : unanswered(shorter);
}

/** Turns 0…`turn` of a history whose k-th iterates `depthsT` names. */
function prefix(baseTaskId: string, history: History, depthsT: readonly number[], turn: number) {
  return {
    baseTaskId,
    turn,
    depth: depthsT[turn]! + 1,
    ...(turn > 0 && { earlierDepths: depthsT.slice(0, turn) }),
    history: history.slice(0, turn + 1),
  };
}

/** The same place with its turn not answered yet. */
function unanswered(parts: Omit<Instance, 'id' | 'kind'>): Instance {
  const history = parts.history.map((turn, index) =>
    index === parts.turn ? { ...turn, response: null, feedback: null } : turn,
  );
  return instanceOf({ ...parts, depth: 0, history, quality: null });
}
