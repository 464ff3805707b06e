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
  /** Answers wrong at k = 0 and right at k, and the other way round, over all seeds. */
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
  /** Against the first arm at k = 0, at k = K, and of the change between them; null for the first arm itself. */
  against: { first: Difference; last: Difference; change: Difference } | null;
}

const resamples = 2000;

/**
 * Compares arms that were trained with the same seeds and play the same problems. Intervals are of a bootstrap over
 * seeds and problems, both drawn with replacement (decision 27): another training run, and other problems. All arms
 * share the draws, so that what makes a problem hard or a seed lucky for all of them cancels in differences.
 *
 * Pure: `seed` decides the resampling.
 *
 * @param armsSKP quality by arm, training run, depth and problem (the mean over its samples); arms may lack runs.
 */
export function compareArms(
  armsSKP: Readonly<Record<string, readonly (readonly (readonly number[])[])[]>>,
  seed: number,
): Record<string, ArmComparison> {
  const names = Object.keys(armsSKP);
  const problems = Object.values(armsSKP)[0]?.[0]?.[0]?.length ?? 0;
  const runs = Math.max(0, ...Object.values(armsSKP).map((arm) => arm.length));
  const random = stream([seed, 'comparison']);
  const draws = Array.from({ length: resamples }, () => ({
    // Shares, so that an arm with fewer runs draws among its own.
    runs: Array.from({ length: runs }, () => random()),
    problems: Array.from({ length: problems }, () => Math.floor(random() * problems)),
  }));
  /** The resampled means over runs and problems of a value by run and problem. */
  const resampled = (valuesSP: readonly (readonly number[])[]) =>
    draws.map((draw) =>
      mean(
        draw.runs.map((share) => {
          const valuesP = valuesSP[Math.floor(share * valuesSP.length)]!;
          return mean(draw.problems.map((problem) => valuesP[problem]!));
        }),
      ),
    );
  const valuesOf = (name: string) => {
    const arm = armsSKP[name]!;
    const at = (k: number) => arm.map((qualitiesKP) => qualitiesKP[k]!);
    const depths = arm[0]?.length ?? 0;
    const change = (k: number) =>
      at(k).map((valuesP, run) => valuesP.map((value, problem) => value - at(0)[run]![problem]!));
    return { at, change, depths };
  };
  const estimated = (valuesSP: readonly (readonly number[])[]): Estimate => ({
    value: mean(valuesSP.map(mean)),
    ...interval(resampled(valuesSP)),
  });
  const differing = (
    ours: readonly (readonly number[])[],
    theirs: readonly (readonly number[])[],
  ): Difference => {
    const [a, b] = [resampled(ours), resampled(theirs)];
    const differences = a.map((value, index) => value - b[index]!);
    const share = (has: (difference: number) => boolean) => differences.filter(has).length / resamples;
    return {
      value: mean(ours.map(mean)) - mean(theirs.map(mean)),
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
    names
      .filter((name) => armsSKP[name]!.length > 0)
      .map((name): [string, ArmComparison] => {
        const { at, change, depths } = valuesOf(name);
        const firstName = names[0]!;
        const first = valuesOf(firstName);
        const last = depths - 1;
        const compared = name !== firstName && armsSKP[firstName]!.length > 0;
        return [
          name,
          {
            depths: Array.from({ length: depths }, (_, k) => {
              const changes = change(k).flat();
              return {
                k,
                accuracy: estimated(at(k)),
                deviation: deviation(at(k).map(mean)),
                corrected: changes.filter((value) => value > 0).length,
                broken: changes.filter((value) => value < 0).length,
                change: estimated(change(k)),
              };
            }),
            against: compared
              ? {
                  first: differing(at(0), first.at(0)),
                  last: differing(at(last), first.at(last)),
                  change: differing(change(last), first.change(last)),
                }
              : null,
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
