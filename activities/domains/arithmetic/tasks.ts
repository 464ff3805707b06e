import type { DomainOf } from '../../../workflows/contract/domain.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { nearestKey } from '../../../workflows/contract/validate.ts';
import { stream } from '../../random.ts';
import type { BaseTask, Split } from '../domain.ts';
import { families, type Family } from './families.ts';

/**
 * The problem sets of a configuration. Each family gives its share of both sets, by its weight (largest remainders),
 * drawn without replacement from one seeded permutation of its problems: held-out problems first, so that a
 * larger training set leaves them as they are. Hence all problems are distinct, and the sets disjoint. In both,
 * the families alternate in proportion, so that the first few problems are already the right mix.
 *
 * @throws `InvalidRunConfig` for an unknown family, no family at all, or a family with too few distinct problems.
 */
export function makeTasks(config: DomainOf<'arithmetic'>): Record<Split, BaseTask[]> {
  const weighted = Object.entries(config.families).filter(([, weight]) => weight > 0);
  for (const name of Object.keys(config.families)) {
    if (!Object.hasOwn(families, name)) {
      const valid = Object.keys(families);
      throw new TypedFailure(
        'InvalidRunConfig',
        `domain.families.${name}: there is no such family; the nearest valid one is '${nearestKey(name, valid)}' (valid: ${valid.join(', ')})`,
      );
    }
  }
  if (weighted.length === 0)
    throw new TypedFailure(
      'InvalidRunConfig',
      'domain.families: no family has a weight above 0; give at least one',
    );
  const weights = weighted.map(([, weight]) => weight);
  const heldOutF = allocate(config.heldOutTasks, weights);
  const trainF = allocate(config.trainTasks, weights);

  const problems = weighted.map(([name], index) => {
    const family = families[name]!;
    const [heldOut, train] = [heldOutF[index]!, trainF[index]!];
    if (heldOut + train > family.size)
      throw new TypedFailure(
        'InvalidRunConfig',
        `domain.families.${name}: ${train} training and ${heldOut} held-out problems asked for, but there are only ${family.size} distinct ones; lower its weight, domain.trainTasks or domain.heldOutTasks`,
      );
    const drawn = drawIndices(family, heldOut + train, ['arithmetic', config.taskSeed, name]).map((number) =>
      taskOf(name, family, number),
    );
    return { heldOut: drawn.slice(0, heldOut), train: drawn.slice(heldOut) };
  });
  return {
    train: alternate(problems.map(({ train }) => train)),
    heldOut: alternate(problems.map(({ heldOut }) => heldOut)),
  };
}

/** `total` in whole shares proportional to the weights; what rounding down leaves goes to the largest remainders. */
export function allocate(total: number, weights: readonly number[]): number[] {
  const sum = weights.reduce((before, weight) => before + weight, 0);
  const exact = weights.map((weight) => (total * weight) / sum);
  const shares = exact.map(Math.floor);
  const left = total - shares.reduce((before, share) => before + share, 0);
  exact
    .map((share, index) => ({ index, remainder: share - Math.floor(share) }))
    .sort((a, b) => b.remainder - a.remainder || a.index - b.index)
    .slice(0, left)
    .forEach(({ index }) => shares[index]!++);
  return shares;
}

function taskOf(name: string, family: Family, number: number): BaseTask {
  const { question, gold } = family.problem(number);
  return {
    id: `${name}-${number}`,
    family: name,
    request: [{ role: 'user', content: `${question} Put your final answer in \\boxed{}.` }],
    gold,
    goldSteps: family.steps,
  };
}

/** The first `count` of a seeded permutation of a family's numbers: Fisher–Yates that remembers only what moved. */
function drawIndices(family: Family, count: number, seed: (string | number)[]): number[] {
  const random = stream(seed);
  const moved = new Map<number, number>();
  return Array.from({ length: count }, (_, place) => {
    const other = place + Math.floor(random() * (family.size - place));
    const drawn = moved.get(other) ?? other;
    moved.set(other, moved.get(place) ?? place);
    return drawn;
  });
}

/** Merges lists so that every beginning of the result holds each list in proportion to its length. */
function alternate<Item>(lists: readonly (readonly Item[])[]): Item[] {
  return lists
    .flatMap((list) => list.map((item, index) => ({ item, place: (index + 0.5) / list.length })))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
