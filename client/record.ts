import type { EvaluationSummary } from '../activities/artifacts/evaluation.ts';
import { readEvaluations } from '../activities/artifacts/evaluations.ts';
import type { Manifest } from '../activities/artifacts/manifest.ts';
import { findRunKey as findInRecord, listRuns, readChain } from '../activities/artifacts/manifests.ts';
import type { Store } from '../activities/artifacts/store.ts';
import type { RunStatus } from '../workflows/contract/names.ts';
import { CommandFailure, exitCodes } from './exit.ts';
import { findRun, listRunsInTemporal, type RunInTemporal, type Temporal } from './temporal.ts';

/** What `reiterate show RUN --json` prints. */
export interface ShownRun {
  runKey: string;
  /** From Temporal; `unknown` when it does not answer or has forgotten the run. */
  status: RunStatus | 'unknown';
  head: { generation: number; hash: string } | null;
  /** The generations made, from 1: generation 0 is the untrained start. */
  generations: ShownGeneration[];
  evaluations: ShownEvaluation[];
  /** Those made besides its own, by `reiterate evaluate` or an ablation. */
  named: (ShownEvaluation & { name: string })[];
}

export interface ShownEvaluation {
  generation: number;
  accuracy: number[];
  tasks: number;
  samplesPerTask: number;
  tokens: number;
}

export interface ShownGeneration {
  generation: number;
  hash: string;
  parent: string | null;
  meanReward: number;
  /** Quality by step kind. */
  byStep: Record<string, { prompts: number; meanQuality: number; meanReward: number }>;
  /** Of the draft stage, which the other numbers leave out; absent without one. */
  drafts?: NonNullable<Manifest['content']['metrics']>['drafts'];
  groupsWithSignal: number;
  bufferSize: number;
  bufferMeanDepth: number;
  promptTokens: number;
  completionTokens: number;
  /** What the update measured; null when there was none. */
  update: NonNullable<Manifest['content']['metrics']>['update'];
  /** By step. */
  seconds: Record<string, number>;
  conservation: Manifest['content']['conservation'];
}

/**
 * A run as the record tells it; only the status is Temporal's.
 *
 * @param run name or runKey; a name means its newest run
 */
export async function showRun(store: Store, temporal: Temporal | null, run: string): Promise<ShownRun> {
  const known = temporal ? await findRun(temporal, run) : null;
  const runKey = await findRunKey(store, known, run);
  const [chain, evaluations, named] = await Promise.all([
    readChain(store, runKey),
    readEvaluations(store, runKey),
    readEvaluations(store, runKey, 'named'),
  ]);
  const head = chain.at(-1);
  return {
    runKey,
    status: known?.runKey === runKey ? known.status : 'unknown',
    head: head ? { generation: head.content.generation, hash: head.hash } : null,
    generations: chain.flatMap(shownGeneration),
    evaluations: evaluations.map(shownEvaluation),
    named: named.map((summary) => ({ ...shownEvaluation(summary), name: summary.name ?? '' })),
  };
}

function shownEvaluation({ generation, depths, tasks, samplesPerTask }: EvaluationSummary): ShownEvaluation {
  return {
    generation,
    accuracy: depths.map(({ accuracy }) => accuracy),
    tasks,
    samplesPerTask,
    tokens: depths.reduce((sum, depth) => sum + depth.tokens, 0),
  };
}

function shownGeneration({ hash, content, observed }: Manifest): ShownGeneration[] {
  const { generation, parent, metrics, conservation } = content;
  if (!metrics) return [];
  const {
    meanReward,
    byStep,
    drafts,
    groupsWithSignal,
    bufferSize,
    bufferMeanDepth,
    promptTokens,
    completionTokens,
    update,
  } = metrics;
  return [
    {
      generation,
      hash,
      parent,
      meanReward,
      byStep,
      ...(drafts && { drafts }),
      groupsWithSignal,
      bufferSize,
      bufferMeanDepth,
      promptTokens,
      completionTokens,
      update,
      seconds: observed.seconds,
      conservation,
    },
  ];
}

/** A run in the list of `reiterate runs`. */
export interface ListedRun {
  runKey: string;
  /** From Temporal; `untrained`: it knows no such run, which is at generation 0, such as `evaluate --config` leaves. */
  status: RunStatus | 'untrained' | 'unknown';
  strategy: string | null;
  /** Newest committed generation; null when there is none. */
  generation: number | null;
  hash: string | null;
  meanReward: number | null;
  /** When the newest generation was committed, else when the run was started. */
  at: string;
}

/** The record's runs with Temporal's status, and those that Temporal alone knows yet; newest first. */
export async function listAllRuns(store: Store, temporal: Temporal | null): Promise<ListedRun[]> {
  const [recorded, known] = await Promise.all([
    listRuns(store),
    temporal ? listRunsInTemporal(temporal) : [],
  ]);
  const byKey = new Map(known.map((run) => [run.runKey, run]));
  const runs = recorded.map(({ runKey, head, manifest }): ListedRun => {
    const run = byKey.get(runKey);
    byKey.delete(runKey);
    return {
      runKey,
      status: run?.status ?? (temporal !== null && head.generation === 0 ? 'untrained' : 'unknown'),
      strategy: run?.strategy || null,
      generation: head.generation,
      hash: head.hash,
      meanReward: manifest.content.metrics?.meanReward ?? null,
      at: manifest.observed.committedAt,
    };
  });
  const unrecorded = [...byKey.values()].map((run): ListedRun => ({
    runKey: run.runKey,
    status: run.status,
    strategy: run.strategy || null,
    generation: null,
    hash: null,
    meanReward: null,
    at: run.startedAt.toISOString(),
  }));
  return [...runs, ...unrecorded].sort((one, other) => other.at.localeCompare(one.at));
}

/** The runKey of a name or a runKey: what Temporal says, else the newest of that name in the record. */
export async function findRunKey(store: Store, known: RunInTemporal | null, run: string): Promise<string> {
  const runKey = known?.runKey ?? (await findInRecord(store, run));
  if (runKey === null)
    throw new CommandFailure(exitCodes.notFound, `No run '${run}' in the record: see \`reiterate runs\`.`);
  return runKey;
}
