import type { Manifest } from '../../activities/artifacts/manifest.ts';
import type { DynamicsRow, EmbeddingRow, GroupRow } from '../../activities/artifacts/records.ts';
import type { Store } from '../../activities/artifacts/store.ts';
import {
  bufferDynamics,
  drawDynamics,
  groupDynamics,
  meanPairwiseDistance,
} from '../../activities/curriculum/dynamics.ts';
import { meanOrNull, type Quantiles } from '../../activities/curriculum/statistics.ts';
import type { Curriculum } from '../../activities/curriculum/types.ts';
import { openDomain } from '../../activities/domains/open.ts';
import { keyOf, uniform } from '../../activities/random.ts';
import type { RunConfig } from '../../workflows/contract/config.ts';
import {
  type Generation,
  generationsOf,
  readCurriculum,
  readEmbeddings,
  readRollouts,
  readPlan,
} from '../generations.ts';
import type { EmbeddedAnswer } from './projection.ts';

/** Most embedded answers that the projection gets, of the whole run. */
const mostPoints = 1500;

/** Most of a generation whose distances are measured: their number grows with the square. */
const mostCompared = 256;

/** How training went, generation by generation, and the embedded answers to look at it by. */
export interface Dynamics {
  rows: DynamicsRow[];
  /** An even sample of all; empty where nothing was embedded. */
  answers: EmbeddedAnswer[];
}

/** From the record alone; a generation at a time, so that a long run needs no more memory than a short one. */
export async function readDynamics(
  store: Store,
  { chain, config }: { chain: readonly Manifest[]; config: RunConfig },
): Promise<Dynamics> {
  const generations = generationsOf(chain);
  const domain = openDomain(config.domain);
  const baseTasks = domain.taskIds('train').length;
  const rows: DynamicsRow[] = [];
  const answers: EmbeddedAnswer[] = [];
  const instances = new Set<string>();
  const played = new Set<string>();
  let before = chain[0] && (await readCurriculum(store, chain[0]));
  for (const each of generations) {
    const [prompts, after, rollouts, embeddings] = await Promise.all([
      readPlan(store, each.manifest),
      readCurriculum(store, each.manifest),
      readRollouts(store, each.manifest),
      readEmbeddings(store, each.manifest),
    ]);
    for (const { instanceId, baseTaskId } of prompts) {
      instances.add(instanceId);
      played.add(baseTaskId);
    }
    rows.push({
      ...outcomes(each, config),
      ...drawDynamics(prompts, before!, each.generation),
      ...groupDynamics(gradedGroups(rollouts)),
      meanGoldSteps: meanOrNull(prompts.flatMap(({ baseTaskId }) => domain.task(baseTaskId).goldSteps ?? [])),
      instancesSoFar: instances.size,
      baseTasksSoFar: played.size,
      baseTasks,
      ...bufferColumns(after),
      ...distances(embeddings, config.seed),
    });
    if (embeddings.length > 0)
      answers.push(
        ...sampled(
          rollouts,
          embeddings,
          config.seed,
          Math.max(1, Math.floor(mostPoints / generations.length)),
        ),
      );
    before = after;
  }
  return { rows, answers };
}

/** What the manifest says. */
function outcomes({ generation, metrics, conservation }: Generation, { sampling }: RunConfig) {
  const { update } = metrics;
  return {
    generation,
    bufferSize: metrics.bufferSize,
    bufferMeanDepth: metrics.bufferMeanDepth,
    bufferMaxDepth: metrics.bufferMaxDepth,
    effectiveSampleSize: metrics.selection['effectiveSampleSize'] ?? null,
    meanReward: metrics.meanReward,
    meanQuality: metrics.meanQuality,
    truncated: metrics.truncated / (conservation.drawn * sampling.rolloutsPerPrompt),
    withoutSignal: conservation.withoutSignal / conservation.drawn,
    trained: conservation.trained / conservation.drawn,
    entropy: update?.entropy ?? null,
    kl: update?.kl ?? null,
    samplerMismatch: update?.samplerMismatch ?? null,
    meanDiversity: metrics.meanDiversity,
  };
}

function bufferColumns(curriculum: Curriculum) {
  const { baseTasks, score, scoreAge } = bufferDynamics(curriculum);
  const of = (quantiles: Quantiles | null, name: keyof Quantiles) => quantiles?.[name] ?? null;
  return {
    bufferBaseTasks: baseTasks,
    scoreLeast: of(score, 'least'),
    scoreLowerQuartile: of(score, 'lowerQuartile'),
    scoreMedian: of(score, 'median'),
    scoreUpperQuartile: of(score, 'upperQuartile'),
    scoreMost: of(score, 'most'),
    scoreAgeLeast: of(scoreAge, 'least'),
    scoreAgeLowerQuartile: of(scoreAge, 'lowerQuartile'),
    scoreAgeMedian: of(scoreAge, 'median'),
    scoreAgeUpperQuartile: of(scoreAge, 'upperQuartile'),
    scoreAgeMost: of(scoreAge, 'most'),
  };
}

function distances(embeddings: readonly EmbeddingRow[], seed: number) {
  const compared = some(embeddings, mostCompared, seed);
  const measured = meanPairwiseDistance(compared.map(({ embedding }) => embedding));
  return { pairwiseL2: measured?.l2 ?? null, pairwiseCosine: measured?.cosine ?? null };
}

function gradedGroups(rollouts: readonly GroupRow[]) {
  const ordinals = [...new Set(rollouts.map(({ ordinal }) => ordinal))];
  return ordinals.flatMap((ordinal) => {
    const group = rollouts.filter((row) => row.ordinal === ordinal);
    const qualitiesG = group.flatMap(({ quality }) => quality ?? []);
    const { step, learnability } = group[0]!;
    return qualitiesG.length === group.length ? [{ step, learnability, qualitiesG }] : [];
  });
}

function sampled(
  rollouts: readonly GroupRow[],
  embeddings: readonly EmbeddingRow[],
  seed: number,
  most: number,
): EmbeddedAnswer[] {
  const rows = new Map(rollouts.map((row) => [row.rolloutId, row]));
  return some(embeddings, most, seed).map(({ rolloutId, embedding }) => {
    const { generation, step, depth, family, quality, reward } = rows.get(rolloutId)!;
    return { rolloutId, generation, step, depth, family, quality, reward, embedding };
  });
}

/** A seeded sample: which rollouts are in it depends on them alone. In the order they came in. */
function some(embeddings: readonly EmbeddingRow[], most: number, seed: number): readonly EmbeddingRow[] {
  if (embeddings.length <= most) return embeddings;
  const chosen = embeddings
    .map(({ rolloutId }) => ({ rolloutId, draw: uniform(keyOf([seed, 'projection', rolloutId]), 0) }))
    .sort((a, b) => a.draw - b.draw)
    .slice(0, most);
  const ids = new Set(chosen.map(({ rolloutId }) => rolloutId));
  return embeddings.filter(({ rolloutId }) => ids.has(rolloutId));
}
