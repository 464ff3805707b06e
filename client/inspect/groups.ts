import type { GroupRow } from '../../activities/artifacts/records.ts';

/** One group in a line: what was asked, and what that was worth. */
export interface GroupLine {
  /** `g7/3`; rollout 5 of it is `g7/3/5`. */
  group: string;
  generation: number;
  step: GroupRow['step'];
  source: GroupRow['source'];
  baseTaskId: string;
  instanceId: string;
  turn: number;
  depth: number;
  parentRolloutId: string | null;
  rewards: number[];
  /** S. */
  learnability: number;
  dropped: string | null;
}

/** The groups of one generation, from its rows, in order. */
export function groupLines(rows: readonly GroupRow[]): GroupLine[] {
  return [...new Set(rows.map(({ ordinal }) => ordinal))].map((ordinal) => {
    const group = rows.filter((row) => row.ordinal === ordinal);
    const { generation, step, source, baseTaskId, instanceId, turn, depth } = group[0]!;
    const { parentRolloutId, learnability, dropped } = group[0]!;
    return {
      group: `g${generation}/${ordinal}`,
      generation,
      step,
      source,
      baseTaskId,
      instanceId,
      turn,
      depth,
      parentRolloutId,
      rewards: group.map(({ reward }) => reward),
      learnability,
      dropped,
    };
  });
}
