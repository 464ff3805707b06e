import { TypedFailure } from '../../workflows/contract/failures.ts';
import { stream } from '../random.ts';
import { interval, type Estimate } from './bootstrap.ts';
import { mean } from './statistics.ts';

/** One arm of an ablation on one set of problems, at one k. */
export interface ArmAtDepth {
  k: number;
  /** Mean over seeds and problems. */
  accuracy: Estimate;
  /** Standard deviation over the seeds' means (n − 1); null for one seed. */
  deviation: number | null;
  /** Problems answered better, and worse, at k than at 0, over all seeds. */
  corrected: number;
  broken: number;
  /** Accuracy at k less that at 0. */
  change: Estimate;
}

/** What an arm has more than the one it is compared with. */
export interface Difference extends Estimate {
  /** Two-sided: how often resampling turns the sign, doubled. */
  p: number;
}

export interface ArmComparison {
  depths: ArmAtDepth[];
  /** Against the first arm that has a run, at k = 0, at k = K, and of the change between; null for that arm itself. */
  against: { first: Difference; last: Difference; change: Difference } | null;
}

/** Quality by depth and problem, of one training run. */
export type RunKP = readonly (readonly number[])[];

const resamples = 2000;

/** Numbers drawn or added up between two breaths: some ten milliseconds. */
const stretch = 2_000_000;

/** Quality, or a change of it, by seed and problem; null where an arm lacks the run of a seed. */
type ValuesSP = readonly (readonly number[] | null)[];

/** One resample: for each place a seed and a number that stands for another where it has no run; and the problems. */
interface Draw {
  seeds: { seed: number; instead: number }[];
  problems: Int32Array;
}

/**
 * Compares arms that were trained with the same seeds and play the same problems. Intervals are of a bootstrap over
 * seeds and problems, both drawn with replacement (decision 27): another training run, and other problems. All arms
 * share the draws, so that what makes a problem hard or a seed lucky for all of them cancels in differences.
 *
 * Pure: `seed` decides the resampling. With many arms, depths and problems it takes minutes, which nobody should have to
 * wait for on one thread: it awaits `breathe` after every few milliseconds of work.
 *
 * @param armsSKP quality by arm, seed, depth and problem (the mean over its samples); null where an arm lacks the run of
 * a seed, for which its others stand in then.
 * @throws `InvalidRunConfig` when runs differ in how many problems or depths they played.
 */
export async function compareArms(
  armsSKP: Readonly<Record<string, readonly (RunKP | null)[]>>,
  seed: number,
  breathe: () => Promise<void>,
): Promise<Record<string, ArmComparison>> {
  assertAlike(armsSKP);
  const names = Object.keys(armsSKP).filter((name) => armsSKP[name]!.some((run) => run !== null));
  const problems = armsSKP[names[0] ?? '']?.find((run) => run !== null)?.[0]?.length ?? 0;
  const seeds = Math.max(0, ...Object.values(armsSKP).map((arm) => arm.length));

  let worked = 0;
  /** Call it before so many more numbers. */
  const work = async (numbers: number) => {
    worked += numbers;
    if (worked < stretch) return;
    worked = numbers;
    await breathe();
  };

  const random = stream([seed, 'comparison']);
  const draws: Draw[] = [];
  for (let resample = 0; resample < resamples; resample++) {
    // A drawn number takes as long as some ten that are added up.
    await work(10 * problems);
    draws.push({
      seeds: Array.from({ length: seeds }, () => ({
        seed: Math.floor(random() * seeds),
        instead: random(),
      })),
      problems: Int32Array.from({ length: problems }, () => Math.floor(random() * problems)),
    });
  }
  /** The resampled means over seeds and problems of a value by seed and problem. */
  const resampled = async (valuesSP: ValuesSP): Promise<number[]> => {
    const own = valuesSP.filter((valuesP) => valuesP !== null);
    const means: number[] = [];
    for (const draw of draws) {
      await work(seeds * problems);
      means.push(
        mean(
          draw.seeds.map(({ seed, instead }) =>
            meanAt(valuesSP[seed] ?? own[Math.floor(instead * own.length)]!, draw.problems),
          ),
        ),
      );
    }
    return means;
  };
  const estimated = async (valuesSP: ValuesSP): Promise<Estimate> => ({
    value: meanOf(valuesSP),
    ...interval(await resampled(valuesSP)),
  });
  const differing = async (ours: ValuesSP, theirs: ValuesSP): Promise<Difference> => {
    const [a, b] = [await resampled(ours), await resampled(theirs)];
    const differences = a.map((value, index) => value - b[index]!);
    // One more on both sides: so few resamples cannot say 0.
    const share = (has: (difference: number) => boolean) =>
      (differences.filter(has).length + 1) / (resamples + 1);
    return {
      value: meanOf(ours) - meanOf(theirs),
      ...interval(differences),
      p: Math.min(
        1,
        2 *
          Math.min(
            share((one) => one <= 0),
            share((one) => one >= 0),
          ),
      ),
    };
  };

  const compared: Record<string, ArmComparison> = {};
  for (const name of names) {
    const { at, change, last } = valuesOf(armsSKP[name]!);
    const first = valuesOf(armsSKP[names[0]!]!);
    const depths: ArmAtDepth[] = [];
    for (let k = 0; k <= last; k++) {
      const changes = change(k).flatMap((valuesP) => valuesP ?? []);
      depths.push({
        k,
        accuracy: await estimated(at(k)),
        deviation: deviation(at(k).flatMap((valuesP) => (valuesP === null ? [] : [mean(valuesP)]))),
        corrected: changes.filter((value) => value > 0).length,
        broken: changes.filter((value) => value < 0).length,
        change: await estimated(change(k)),
      });
    }
    compared[name] = {
      depths,
      against:
        name === names[0]
          ? null
          : {
              first: await differing(at(0), first.at(0)),
              last: await differing(at(last), first.at(last)),
              change: await differing(change(last), first.change(last)),
            },
    };
  }
  return compared;
}

/** Means over other problems, or of other depths, cannot be told apart from a difference between arms. */
function assertAlike(armsSKP: Readonly<Record<string, readonly (RunKP | null)[]>>): void {
  const played = Object.entries(armsSKP).flatMap(([arm, runs]) =>
    runs.flatMap((run) => (run ? [{ arm, sizes: run.map((valuesP) => valuesP.length) }] : [])),
  );
  const [first] = played;
  const other = played.find(({ sizes }) => sizes.join() !== first!.sizes.join());
  if (!first || !other) return;
  const said = ({ arm, sizes }: typeof first) => `'${arm}' ${[...new Set(sizes)].join(', ')}`;
  throw new TypedFailure(
    'InvalidRunConfig',
    `arms must play the same problems at the same depths: problems of ${said(first)}, of ${said(other)}; depths ${first.sizes.length} and ${other.sizes.length}. Start the ablation anew under another id.`,
  );
}

/** What an arm has by depth: values, and their change since k = 0. */
function valuesOf(arm: readonly (RunKP | null)[]) {
  return {
    at: (k: number): ValuesSP => arm.map((run) => run && run[k]!),
    change: (k: number): ValuesSP =>
      arm.map((run) => run && run[k]!.map((value, problem) => value - run[0]![problem]!)),
    last: arm.find((run) => run !== null)!.length - 1,
  };
}

const meanOf = (valuesSP: ValuesSP) =>
  mean(valuesSP.flatMap((valuesP) => (valuesP === null ? [] : [mean(valuesP)])));

/** The mean of the values at these places; an array of them would take most of the time. */
function meanAt(values: readonly number[], places: Int32Array): number {
  let sum = 0;
  for (let index = 0; index < places.length; index++) sum += values[places[index]!]!;
  return sum / Math.max(places.length, 1);
}

/** Sample standard deviation; null for fewer than two values. */
function deviation(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}
