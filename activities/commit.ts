import { activityInfo } from '@temporalio/activity';
import { TypedFailure } from '../workflows/contract/failures.ts';
import { shaOf } from '../workflows/contract/ref.ts';
import type { CommitInput, CommitResult, Conservation, Played } from '../workflows/contract/steps.ts';
import type { GenerationMetrics, ManifestObserved } from './artifacts/manifest.ts';
import { commitManifest } from './artifacts/manifests.ts';
import { decodeGroups } from './artifacts/parquet.ts';
import type { GroupRow } from './artifacts/records.ts';
import { mean } from './curriculum/statistics.ts';
import type { Dependencies } from './dependencies.ts';
import { episodesOf } from './episode.ts';
import { loadState } from './state.ts';

/** Writes the generation's manifest: the one atomic step that makes it part of the run. */
export function commit(dependencies: Dependencies) {
  return async (input: CommitInput): Promise<CommitResult> => {
    const { store } = dependencies;
    const { runKey, generation, drafts, score, update } = input;
    const { manifest } = await loadState(store, input);
    const { drafts: _, ...inherited } = manifest.content;
    const rows = await decodeGroups(await store.read(score.groups), score.groups.key);
    assertConserved(rows, score.conservation);
    const metrics = measure(rows, input);
    const artifacts = {
      config: manifest.observed.artifacts.config,
      policy: update.policy,
      optimizer: update.optimizer,
      reference: update.reference,
      curriculum: score.curriculum,
      ...(drafts && { drafts: { plan: drafts.plan, rollouts: drafts.rollouts, graded: drafts.graded } }),
      plan: input.plan,
      rollouts: input.rollouts,
      graded: input.graded,
      embeddings: input.embeddings,
      groups: score.groups,
    };
    const head = await commitManifest(
      store,
      runKey,
      {
        ...inherited,
        generation,
        parent: input.head.hash,
        policy: update.policy.sha256,
        optimizer: update.optimizer?.sha256 ?? null,
        reference: update.reference?.sha256 ?? null,
        curriculum: score.curriculum.sha256,
        ...(drafts && { drafts: hashesOf(drafts) }),
        ...hashesOf(input),
        embeddings: input.embeddings.map(shaOf),
        groups: score.groups.sha256,
        metrics,
        conservation: score.conservation,
        changes: [],
      },
      observe(dependencies, runKey, artifacts, input.seconds, update.peakResidentBytes),
    );
    const summary = `Generation ${generation}: mean reward ${metrics.meanReward.toFixed(3)}, ${metrics.groupsWithSignal} of ${score.conservation.drawn} groups with signal, buffer ${metrics.bufferSize} at mean depth ${metrics.bufferMeanDepth.toFixed(2)}, policy ${update.policy.sha256.slice(0, 8)}`;
    const failed = Object.values(score.conservation.failed).reduce((sum, prompts) => sum + prompts, 0);
    return {
      head,
      meanReward: metrics.meanReward,
      truncatedShare: metrics.truncated / episodesOf(rows).length,
      failedShare: failed / score.conservation.drawn,
      mismatch: update.metrics?.samplerMismatch ?? null,
      summary,
    };
  };
}

const hashesOf = ({ plan, rollouts, graded }: Played) => ({
  plan: plan.sha256,
  rollouts: rollouts.map(shaOf),
  graded: graded.map(shaOf),
});

/** Invariant of every generation: drawn = trained + without signal + filtered + failed, and each is in the record. */
function assertConserved(rows: GroupRow[], conservation: Conservation): void {
  const { drawn, trained, withoutSignal, filtered, failed } = conservation;
  const lost = [...Object.values(filtered), ...Object.values(failed)];
  const accounted = lost.reduce((sum, prompts) => sum + prompts, trained + withoutSignal);
  const recorded = new Set(rows.map(({ ordinal }) => ordinal)).size;
  if (accounted !== drawn || recorded !== drawn)
    throw new TypedFailure(
      'ConservationViolated',
      `${drawn} prompts were drawn, ${accounted} are accounted for, ${recorded} are in the groups`,
    );
}

/** The `observed` half of a manifest: what happened to this execution of the run. */
export function observe(
  dependencies: Dependencies,
  runKey: string,
  artifacts: ManifestObserved['artifacts'],
  seconds: ManifestObserved['seconds'],
  peakResidentBytes: ManifestObserved['peakResidentBytes'],
): ManifestObserved {
  const { workflowExecution } = activityInfo();
  return {
    runKey,
    committedAt: new Date().toISOString(),
    ...dependencies.environment,
    workflowId: workflowExecution?.workflowId ?? '',
    workflowRunId: workflowExecution?.runId ?? '',
    artifacts,
    seconds,
    peakResidentBytes,
  };
}

/** Qualities, rewards and truncation are those of rollouts; tokens are those of all their turns. */
function measure(rows: GroupRow[], { drafts, score, update }: CommitInput): GenerationMetrics {
  const episodes = episodesOf(rows);
  const answers = episodes.map(([answer]) => answer);
  const laterTurns = episodes.flatMap(([, ...later]) => later);
  const byStep: GenerationMetrics['byStep'] = {};
  for (const step of new Set(answers.map((row) => row.step))) {
    const ofStep = answers.filter((row) => row.step === step);
    byStep[step] = {
      prompts: new Set(ofStep.map((row) => row.ordinal)).size,
      meanQuality: mean(ofStep.map((row) => row.quality ?? 0)),
      meanReward: mean(ofStep.map((row) => row.reward)),
    };
  }
  const prompts = new Map(answers.map((row) => [row.ordinal, row.promptIds.length]));
  return {
    meanReward: score.meanReward,
    meanQuality: mean(answers.map((row) => row.quality ?? 0)),
    byStep,
    groupsWithSignal: score.groupsWithSignal,
    bufferSize: score.buffer.size,
    bufferMeanDepth: score.buffer.meanDepth,
    bufferMaxDepth: score.buffer.maxDepth,
    bufferMeanScore: score.buffer.meanScore,
    selection: score.selection,
    meanDiversity: score.meanDiversity,
    ...(drafts && { drafts: drafts.metrics }),
    truncated: episodes.filter((turns) => turns.some(({ finishReason }) => finishReason === 'length')).length,
    promptTokens: [...prompts.values(), ...laterTurns.map(({ promptIds }) => promptIds.length)].reduce(
      (sum, length) => sum + length,
      0,
    ),
    completionTokens: rows.reduce((sum, row) => sum + row.completionIds.length, 0),
    update: update.metrics,
  };
}
