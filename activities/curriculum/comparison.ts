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

/**
 * Compares arms that were trained with the same seeds and play the same problems. Intervals are of a bootstrap over
 * seeds and problems, both drawn with replacement (decision 27): another training run, and other problems. All arms
 * share the draws, so that what makes a problem hard or a seed lucky for all of them cancels in differences.
 *
 * Pure: `seed` decides the resampling.
 *
 * @param armsSKP quality by arm, seed, depth and problem (the mean over its samples); null where an arm lacks the run of
 * a seed, for which its others stand in then.
 */
export function compareArms(
  armsSKP: Readonly<Record<string, readonly (RunKP | null)[]>>,
  seed: number,
): Record<string, ArmComparison> {
  const names = Object.keys(armsSKP).filter((name) => armsSKP[name]!.some((run) => run !== null));
  const problems = armsSKP[names[0] ?? '']?.find((run) => run !== null)?.[0]?.length ?? 0;
  const seeds = Math.max(0, ...Object.values(armsSKP).map((arm) => arm.length));
  const random = stream([seed, 'comparison']);
  const draws = Array.from({ length: resamples }, () => ({
    seeds: Array.from({ length: seeds }, () => ({
      seed: Math.floor(random() * seeds),
      instead: random(),
    })),
    problems: Array.from({ length: problems }, () => Math.floor(random() * problems)),
  }));
  /** The resampled means over seeds and problems of a value by seed and problem. */
  const resampled = (valuesSP: readonly (readonly number[] | null)[]) => {
    const own = valuesSP.filter((valuesP) => valuesP !== null);
    return draws.map((draw) =>
      mean(
        draw.seeds.map(({ seed, instead }) => {
          const valuesP = valuesSP[seed] ?? own[Math.floor(instead * own.length)]!;
          return mean(draw.problems.map((problem) => valuesP[problem]!));
        }),
      ),
    );
  };
  const meanOf = (valuesSP: readonly (readonly number[] | null)[]) =>
    mean(valuesSP.flatMap((valuesP) => (valuesP === null ? [] : [mean(valuesP)])));
  const valuesOf = (name: string) => {
    const arm = armsSKP[name]!;
    const at = (k: number) => arm.map((run) => run && run[k]!);
    const depths = arm.find((run) => run !== null)!.length;
    const change = (k: number) =>
      arm.map((run) => run && run[k]!.map((value, problem) => value - run[0]![problem]!));
    return { at, change, depths };
  };
  const estimated = (valuesSP: readonly (readonly number[] | null)[]): Estimate => ({
    value: meanOf(valuesSP),
    ...interval(resampled(valuesSP)),
  });
  const differing = (
    ours: readonly (readonly number[] | null)[],
    theirs: readonly (readonly number[] | null)[],
  ): Difference => {
    const [a, b] = [resampled(ours), resampled(theirs)];
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

  return Object.fromEntries(
    names.map((name): [string, ArmComparison] => {
      const { at, change, depths } = valuesOf(name);
      const first = valuesOf(names[0]!);
      const last = depths - 1;
      return [
        name,
        {
          depths: Array.from({ length: depths }, (_, k) => {
            const changes = change(k).flatMap((valuesP) => valuesP ?? []);
            return {
              k,
              accuracy: estimated(at(k)),
              deviation: deviation(at(k).flatMap((valuesP) => (valuesP === null ? [] : [mean(valuesP)]))),
              corrected: changes.filter((value) => value > 0).length,
              broken: changes.filter((value) => value < 0).length,
              change: estimated(change(k)),
            };
          }),
          against:
            name === names[0]
              ? null
              : {
                  first: differing(at(0), first.at(0)),
                  last: differing(at(last), first.at(last)),
                  change: differing(change(last), first.change(last)),
                },
        },
      ];
    }),
  );
}

/** Sample standard deviation; null for fewer than two values. */
function deviation(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}
