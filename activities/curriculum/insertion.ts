import { instanceOf } from './identity.ts';
import { countedScores } from './scoreAge.ts';
import type { BufferEntry, Draw, History, Instance, Outcome } from './types.ts';

/** An instance on its way into the buffer, with the score it brings. */
export interface Arrival {
  instance: Instance;
  score: number;
  /** Mean quality of the group that S was measured on. */
  passRate: number;
  /** True: S is the parent's. False: S was measured on the instance's own group. */
  inherited: boolean;
}

/** What happened in a generation. */
export interface Observed {
  /** The instances that were played and those that grew from them, in order. */
  arrivals: readonly Arrival[];
  generation: number;
  /** N: most entries kept … */
  capacity: number;
  /** … and most of one base task; null: no limit (decision 10). */
  maxPerBaseTask: number | null;
}

/** Which of two entries rather stays; negative: the first. */
export type Rank = (a: BufferEntry, b: BufferEntry) => number;

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
 * 3. A visit overwrites S (decision 13), also with 0; so does the S of a parent. A measured pass rate stays.
 * 4. `maxPerBaseTask`: of one base task only so many stay, the best by the same order (decision 10).
 * 5. `maxScoreAge`: an old S counts as `countedScores` has it (decision 14); absent: as it is.
 *
 * Pure; the result is in order of entry, by (firstGeneration, ordinal).
 */
export function insert(
  buffer: readonly BufferEntry[],
  observed: Observed,
  maxScoreAge?: number,
): BufferEntry[] {
  const entries = merge(buffer, observed, 1);
  const scores = countedScores(entries, observed.generation, maxScoreAge);
  const counted = new Map(entries.map((entry, i) => [entry, scores[i]!]));
  const highestScoreFirst: Rank = (a, b) => counted.get(b)! - counted.get(a)! || newestScoreFirst(a, b);
  return keep(highestScoreFirst, entries, observed);
}

/**
 * The same with another order of who stays. `smoothing`: weight of a newly measured pass rate beside the one that was
 * measured before; 1 keeps the newest alone.
 */
export const insertBy = (
  rank: Rank,
  buffer: readonly BufferEntry[],
  observed: Observed,
  smoothing = 1,
): BufferEntry[] => keep(rank, merge(buffer, observed, smoothing), observed);

/** B ∪ arrivals, each instance once. */
function merge(
  buffer: readonly BufferEntry[],
  { arrivals, generation }: Observed,
  smoothing: number,
): BufferEntry[] {
  const entries = new Map(buffer.map((entry) => [entry.instance.id, entry]));
  for (const [ordinal, { instance, score, passRate, inherited }] of arrivals.entries()) {
    const known = entries.get(instance.id);
    if (known && inherited && !known.inherited && known.scoreGeneration === generation) continue;
    // What was measured on its own group is not forgotten for what was measured on its parent's.
    const measured = known && known.visits > 0 ? known.passRate : null;
    const smoothed = measured === null ? passRate : (1 - smoothing) * measured + smoothing * passRate;
    entries.set(instance.id, {
      instance: known?.instance ?? instance,
      score,
      passRate: inherited ? (measured ?? passRate) : smoothed,
      inherited,
      visits: (known?.visits ?? 0) + (inherited ? 0 : 1),
      visitGeneration: inherited ? (known?.visitGeneration ?? null) : generation,
      firstGeneration: known?.firstGeneration ?? generation,
      scoreGeneration: generation,
      ordinal: known?.ordinal ?? ordinal,
    });
  }
  return [...entries.values()];
}

/** The first N by rank, in order of entry. */
function keep(
  rank: Rank,
  entries: readonly BufferEntry[],
  { capacity, maxPerBaseTask }: Observed,
): BufferEntry[] {
  const kept: BufferEntry[] = [];
  const ofTask = new Map<string, number>();
  for (const entry of entries.toSorted((a, b) => rank(a, b) || byEntry(b, a))) {
    const { baseTaskId } = entry.instance;
    const count = ofTask.get(baseTaskId) ?? 0;
    if (kept.length === capacity) break;
    if (maxPerBaseTask !== null && count >= maxPerBaseTask) continue;
    ofTask.set(baseTaskId, count + 1);
    kept.push(entry);
  }
  return kept.sort(byEntry);
}

export const newestScoreFirst: Rank = (a, b) => b.scoreGeneration - a.scoreGeneration;

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
