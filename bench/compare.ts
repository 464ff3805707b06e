import type { Report } from '../infra/problem.ts';

/** tok/s: more is better. Of the others less is. */
export type Unit = 'tok/s' | 'ms' | 's' | 'MiB';

/** Someone who can be measured again and again. */
export interface Contender {
  name: string;
  /** One measurement, in the comparison's unit. */
  measure(): Promise<number>;
  /** Frees what it holds, when it is not measured any more. */
  close?(): Promise<void>;
}

/** Medians over the rounds. */
export interface Result {
  name: string;
  unit: Unit;
  ours: number;
  peers: Record<string, number>;
  /** What else was found out about ours. */
  note?: string;
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How many times better ours is. */
export function ratio(result: Result, peer: number): number {
  return result.unit === 'tok/s' ? result.ours / peer : peer / result.ours;
}

/**
 * Measures in turns, so that a machine that slows down slows everyone down: first one round that does not count
 * (caches, compilation), then `rounds` that do.
 */
export async function compare(
  name: string,
  unit: Unit,
  ours: Contender,
  peers: Contender[],
  rounds: number,
  report: Report,
): Promise<Result> {
  const contenders = [ours, ...peers];
  const measured = contenders.map((): number[] => []);
  const lost = new Set<Contender>();
  try {
    for (let round = 0; round <= rounds; round++)
      for (const [i, contender] of contenders.entries()) {
        if (lost.has(contender)) continue;
        const value = await contender.measure().catch((error: unknown) => {
          if (contender === ours) throw error;
          // A peer that runs out of memory is no reason to lose what the others measure.
          lost.add(contender);
          report(`${name}: ${contender.name} is left out: ${String(error)}`);
          return NaN;
        });
        if (lost.has(contender)) continue;
        report(
          `${name}: ${contender.name} ${value.toPrecision(4)} ${unit}${round === 0 ? ' (warm-up)' : ''}`,
        );
        if (round > 0) measured[i]!.push(value);
      }
  } finally {
    // A peer may need all the memory there is.
    for (const contender of contenders) await contender.close?.();
  }
  const [own = [], ...others] = measured;
  return {
    name,
    unit,
    ours: median(own),
    peers: Object.fromEntries(
      peers.flatMap((peer, i) => (lost.has(peer) ? [] : [[peer.name, median(others[i]!)]])),
    ),
  };
}
