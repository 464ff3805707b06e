import type { Observed } from '../insertion.ts';
import type { BufferEntry } from '../types.ts';

/** What a strategy needs to know when it proposes. */
export interface Proposing {
  /** The generation being made. */
  generation: number;
  /** A number in [0, 1) of each entry, from its instance's identity. */
  random: (instanceId: string) => number;
}

/**
 * How a curriculum comes back to what it has seen. All a strategy knows is the task buffer, which is its snapshot, too:
 * plain data, stored each generation. Pure: same arguments, same result.
 */
export interface Strategy {
  /** The entries that may be played, in the order in which a generation takes them, for as many slots as it has. */
  propose(buffer: readonly BufferEntry[], context: Proposing): readonly BufferEntry[];
  /** The buffer after a generation, in order of entry. */
  observe(buffer: readonly BufferEntry[], observed: Observed): BufferEntry[];
  /** What tells a person how it is doing, by name, for the generation to come. */
  metrics(buffer: readonly BufferEntry[], generation: number): Record<string, number>;
}
