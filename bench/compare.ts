import type { Report } from '../infra/problem.ts';
import type { GradientMatch } from './gradient.ts';

/** tok/s: more is better. Of the others less is. */
export type Unit = 'tok/s' | 's' | 'MiB';

/** Someone who can be measured again and again. */
export interface Contender {
  name: string;
  /** What ours could be at best, not another program: ours is a share of it. */
  bound?: boolean;
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
  /** What ours could be at best. */
  bounds: Record<string, number>;
  /** Of an update: whether each peer finds the same gradient. */
  gradients?: Record<string, GradientMatch>;
  /** What else was found out about ours. */
  note?: string;
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How many times better ours is. */
export function ratio({ unit, ours }: Pick<Result, 'unit' | 'ours'>, other: number): number {
  return unit === 'tok/s' ? ours / other : other / ours;
}

/**
 * Measures in turns, so that a machine that slows down slows everyone down: first one round that does not count
 * (caches, compilation), then `rounds` that do.
 */
export async function compare(
  name: string,
  unit: Unit,
  ours: Contender,
  others: Contender[],
  rounds: number,
  report: Report,
): Promise<Result> {
  const contenders = [ours, ...others];
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
  const medians = (bound: boolean) =>
    Object.fromEntries(
      others.flatMap((other, i) =>
        (other.bound ?? false) === bound && !lost.has(other) ? [[other.name, median(measured[i + 1]!)]] : [],
      ),
    );
  return { name, unit, ours: median(measured[0]!), peers: medians(false), bounds: medians(true) };
}
