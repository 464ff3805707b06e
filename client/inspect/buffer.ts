import { chancesOfSelection } from '../../activities/curriculum/chances.ts';
import type { BufferEntry, Curriculum } from '../../activities/curriculum/types.ts';
import type { RunConfig } from '../../workflows/contract/config.ts';

/** An entry of the task buffer in a line. */
export interface BufferLine {
  instanceId: string;
  baseTaskId: string;
  turn: number;
  depth: number;
  /** S. */
  score: number;
  inherited: boolean;
  /** Generations since S was measured or inherited. */
  scoreAge: number;
  visits: number;
  passRate: number;
  firstGeneration: number;
  parentRolloutId: string | null;
  /** How likely the generation to come is to select it. */
  chance: number;
}

/** Highest learnability first. */
export function bufferLines(curriculum: Curriculum, config: RunConfig): BufferLine[] {
  const chances = chancesOfSelection(curriculum, config);
  return curriculum.buffer
    .map((entry) => bufferLine(entry, curriculum.generation, chances.get(entry.instance.id) ?? 0))
    .sort((a, b) => b.score - a.score || b.chance - a.chance || (a.instanceId < b.instanceId ? -1 : 1));
}

function bufferLine(entry: BufferEntry, generation: number, chance: number): BufferLine {
  const { instance, score, inherited, scoreGeneration, visits, passRate, firstGeneration } = entry;
  return {
    instanceId: instance.id,
    baseTaskId: instance.baseTaskId,
    turn: instance.turn,
    depth: instance.depth,
    score,
    inherited,
    scoreAge: generation - scoreGeneration,
    visits,
    passRate,
    firstGeneration,
    parentRolloutId: instance.parent?.rolloutId ?? null,
    chance,
  };
}
