import { learnability } from './learnability.ts';
import { mean, meanOrNull, quantiles, type Quantiles } from './statistics.ts';
import type { Curriculum, Draw, StepKind } from './types.ts';

/** Where the prompts of a generation came from. */
export interface DrawDynamics {
  prompts: number;
  /** Shares of the prompts. */
  fromBuffer: number;
  improve: number;
  diverge: number;
  /** Generations since what was selected from the buffer had entered it; null when nothing was. */
  meanRecency: number | null;
  maxRecency: number | null;
  meanDepth: number;
  maxDepth: number;
  /** Prompts at depth 0, 1, … up to the deepest. */
  promptsByDepth: number[];
  /** Mean turn that the step answers, from 0. */
  meanTurn: number;
}

/**
 * What was drawn, as ExIt §5.3 looks at it: how old, how deep, and how late in its episode.
 *
 * @param draws at least one.
 * @param before the curriculum that they were drawn from.
 */
export function drawDynamics(draws: readonly Draw[], before: Curriculum, generation: number): DrawDynamics {
  const share = (chosen: (draw: Draw) => boolean) => draws.filter(chosen).length / draws.length;
  const entered = entryOf(before);
  const recency = draws
    .filter(({ source }) => source === 'buffer')
    .map(({ instance }) => generation - entered(instance));
  const depths = draws.map(({ instance }) => instance.depth);
  const maxDepth = Math.max(...depths);
  return {
    prompts: draws.length,
    fromBuffer: share(({ source }) => source === 'buffer'),
    improve: share(({ step }) => step === 'improve'),
    diverge: share(({ step }) => step === 'diverge'),
    meanRecency: recency.length > 0 ? mean(recency) : null,
    maxRecency: recency.length > 0 ? Math.max(...recency) : null,
    meanDepth: mean(depths),
    maxDepth,
    promptsByDepth: Array.from(
      { length: maxDepth + 1 },
      (_, depth) => depths.filter((each) => each === depth).length,
    ),
    meanTurn: mean(draws.map(({ instance }) => instance.turn)),
  };
}

/**
 * When an instance entered the buffer. One that was selected and then cut back to an earlier turn need not be an entry
 * itself; it has the parent of the entry it was cut from.
 */
function entryOf({ buffer, generation }: Curriculum): (instance: Draw['instance']) => number {
  const byId = new Map(buffer.map(({ instance, firstGeneration }) => [instance.id, firstGeneration]));
  const byRollout = new Map(
    buffer.flatMap(({ instance: { parent }, firstGeneration }): [string, number][] =>
      parent ? [[parent.rolloutId, firstGeneration]] : [],
    ),
  );
  return ({ id, parent }) => byId.get(id) ?? (parent && byRollout.get(parent.rolloutId)) ?? generation;
}

/** The task buffer of one generation, beyond what its manifest says. */
export interface BufferDynamics {
  baseTasks: number;
  /** Learnability S of the entries; null when there are none. */
  score: Quantiles | null;
  /** Generations since S was measured or inherited; null when there are no entries. */
  scoreAge: Quantiles | null;
}

export function bufferDynamics({ buffer, generation }: Curriculum): BufferDynamics {
  return {
    baseTasks: new Set(buffer.map(({ instance }) => instance.baseTaskId)).size,
    score: quantiles(buffer.map(({ score }) => score)),
    scoreAge: quantiles(buffer.map(({ scoreGeneration }) => generation - scoreGeneration)),
  };
}

/** What the groups of one generation had to teach. */
export interface GroupDynamics {
  /** Mean learnability S of the groups of a step kind; null without any. */
  learnabilityBase: number | null;
  learnabilityImprove: number | null;
  learnabilityDiverge: number | null;
  /** Mean over the groups of the variance of their qualities, which is not S where rewards are not qualities. */
  qualityVariance: number | null;
}

/** Learnability by step kind, and beside it how much qualities differ (decisions 8 and 20). Groups that were graded. */
export function groupDynamics(
  groups: readonly { step: StepKind; learnability: number; qualitiesG: readonly number[] }[],
): GroupDynamics {
  const of = (step: StepKind) =>
    meanOrNull(groups.flatMap((group) => (group.step === step ? [group.learnability] : [])));
  return {
    learnabilityBase: of('base'),
    learnabilityImprove: of('improve'),
    learnabilityDiverge: of('diverge'),
    qualityVariance: meanOrNull(groups.map(({ qualitiesG }) => learnability(qualitiesG))),
  };
}

/** How far answers lie from each other. */
export interface Distances {
  l2: number;
  /** 1 − cosine. */
  cosine: number;
}

/**
 * Means over all pairs of vectors (ExIt §5.3); null when there is no pair. A vector of zeros has no direction: its
 * cosine with any other counts as 0.
 */
export function meanPairwiseDistance(vectors: readonly ArrayLike<number>[]): Distances | null {
  if (vectors.length < 2) return null;
  const sizes = vectors.map((vector) => Math.sqrt(dot(vector, vector)));
  let [l2, cosine] = [0, 0];
  for (let a = 1; a < vectors.length; a++)
    for (let b = 0; b < a; b++) {
      l2 += distance(vectors[a]!, vectors[b]!);
      const size = sizes[a]! * sizes[b]!;
      // Rounding leads out of what a cosine can be, far out where a product is next to nothing.
      cosine += size > 0 ? Math.min(2, Math.max(0, 1 - dot(vectors[a]!, vectors[b]!) / size)) : 1;
    }
  const pairs = (vectors.length * (vectors.length - 1)) / 2;
  return { l2: l2 / pairs, cosine: cosine / pairs };
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(sum);
}
