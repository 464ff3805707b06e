import type { RunConfig } from '../../workflows/contract/config.ts';
import { stream } from '../random.ts';
import { strategyOf } from './strategies/index.ts';
import type { Curriculum } from './types.ts';

/** Enough for a chance to be right within about three points. */
const trials = 1000;

/**
 * How likely each entry of the buffer is to be selected by the generation to come: the share of so many seeds with
 * which it is proposed in time. Strategies differ too much for a formula; all of them propose. Of an episode any earlier
 * turn of a selected entry may be played instead.
 *
 * @returns by instance id.
 */
export function chancesOfSelection(
  { buffer, generation }: Curriculum,
  { curriculum: { selection, minimumSize, selectProbability }, sampling }: RunConfig,
): Map<string, number> {
  const selected = new Map(buffer.map(({ instance }) => [instance.id, 0]));
  if (buffer.length < minimumSize) return selected;
  const strategy = strategyOf(selection);
  for (let trial = 0; trial < trials; trial++) {
    const random = stream(['chances', trial]);
    const slots = Array.from({ length: sampling.promptsPerGeneration }, random).filter(
      (drawn) => drawn < selectProbability,
    ).length;
    const proposed = strategy.propose(buffer, { generation: generation + 1, random });
    for (const { instance } of proposed.slice(0, slots))
      selected.set(instance.id, selected.get(instance.id)! + 1);
  }
  return new Map([...selected].map(([id, times]) => [id, times / trials]));
}
