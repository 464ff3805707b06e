import { z } from 'zod';

const count = z.int().positive();

/** Problem sets that a domain generates. */
const generatedTasks = {
  /** Distinct training problems, the task set M. */
  trainTasks: count,
  /** Distinct held-out problems, disjoint from training. */
  heldOutTasks: count,
  /** Seed of the problem sets, apart from the run's seed so that runs can share problems. */
  taskSeed: z.int().nonnegative(),
};

/** Which generated-arithmetic families, in what proportion. A weight of 0 leaves a family out. */
const ArithmeticDomain = z.strictObject({
  name: z.literal('arithmetic'),
  /** family name → weight; the domain names the families it knows. */
  families: z.record(z.string(), z.number().nonnegative()),
  ...generatedTasks,
});

/** A till that is told, turn by turn, what comes and goes. */
const LedgerDomain = z.strictObject({
  name: z.literal('ledger'),
  /** Turns of an episode: each task has a number from `least` to `most`. */
  turns: z
    .strictObject({ least: count, most: count.max(16) })
    .refine(({ least, most }) => least <= most, { error: 'least is more than most' }),
  /** Most coins that come or go at once. */
  largest: count.max(1000),
  ...generatedTasks,
});

/** A problem of one's own. */
export const Problem = z.strictObject({
  /** Told apart from others by it, in every record. */
  id: z.string().min(1).max(200),
  question: z.string().min(1),
  /** The right answer: a number, or a text that the response's `\\boxed{…}` must hold. null: nobody knows; not graded. */
  answer: z.string().min(1).nullable(),
});
export type Problem = z.infer<typeof Problem>;

const Problems = z.array(Problem).check(({ value, issues }) => {
  const seen = new Set<string>();
  for (const [index, { id }] of value.entries()) {
    if (seen.has(id))
      issues.push({
        code: 'custom',
        message: `'${id}' is the id of another problem too`,
        path: [index, 'id'],
        input: value,
      });
    seen.add(id);
  }
});

/** Problems of one's own, with one answer each. */
const ProblemsDomain = z.strictObject({
  name: z.literal('problems'),
  /** Follows every question, such as how to mark the final answer; null: nothing does. */
  instruction: z.string().min(1).nullable(),
  train: Problems,
  heldOut: Problems,
});

/** One entry per domain; the `name` decides which. */
export const DomainConfig = z.discriminatedUnion('name', [ArithmeticDomain, LedgerDomain, ProblemsDomain]);
export type DomainConfig = z.infer<typeof DomainConfig>;
export type DomainOf<Name extends DomainConfig['name']> = Extract<DomainConfig, { name: Name }>;

/** How many problems a domain has for training and held out, and the key that says so. */
export function taskCounts(
  domain: DomainConfig,
): Record<'train' | 'heldOut', { tasks: number; key: string }> {
  switch (domain.name) {
    case 'arithmetic':
    case 'ledger':
      return {
        train: { tasks: domain.trainTasks, key: 'trainTasks' },
        heldOut: { tasks: domain.heldOutTasks, key: 'heldOutTasks' },
      };
    case 'problems':
      return {
        train: { tasks: domain.train.length, key: 'train' },
        heldOut: { tasks: domain.heldOut.length, key: 'heldOut' },
      };
  }
}

/** A domain but for its training problems: where two are alike in it, they hold out the same problems in the same order. */
export function heldOutPart(domain: DomainConfig): object {
  switch (domain.name) {
    case 'arithmetic':
    case 'ledger': {
      const { trainTasks: _, ...heldOut } = domain;
      return heldOut;
    }
    case 'problems': {
      const { train: _, ...heldOut } = domain;
      return heldOut;
    }
  }
}

/** Id of the first problem that nobody knows the answer of; null when all can be graded. */
export function unanswered(domain: DomainConfig, split: 'train' | 'heldOut'): string | null {
  if (domain.name !== 'problems') return null;
  return domain[split].find(({ answer }) => answer === null)?.id ?? null;
}
