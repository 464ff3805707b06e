import { readFileSync } from 'node:fs';
import { canonicalBytes, hashOf, legibleBytes, sha256 } from '../../../activities/artifacts/canonical.ts';
import type { EvaluationSummary } from '../../../activities/artifacts/evaluation.ts';
import { keys } from '../../../activities/artifacts/keys.ts';
import type { ManifestContent, ManifestObserved } from '../../../activities/artifacts/manifest.ts';
import { commitManifest } from '../../../activities/artifacts/manifests.ts';
import { encodeEmbeddings, encodeEvaluation, encodeGroups } from '../../../activities/artifacts/parquet.ts';
import type { EvaluationRow, GroupRow, Plan, PlannedPrompt } from '../../../activities/artifacts/records.ts';
import type { Store } from '../../../activities/artifacts/store.ts';
import { answered, baseInstance, instanceOf } from '../../../activities/curriculum/identity.ts';
import { emptyCurriculum, scoreGroups } from '../../../activities/curriculum/score.ts';
import { select } from '../../../activities/curriculum/selection.ts';
import { selfImprovement } from '../../../activities/curriculum/selfImprovement.ts';
import { bufferStatistics, mean } from '../../../activities/curriculum/statistics.ts';
import type { Draw } from '../../../activities/curriculum/types.ts';
import { gradeAnswer } from '../../../activities/domains/answer.ts';
import { openDomain } from '../../../activities/domains/open.ts';
import { keyOf, uniform } from '../../../activities/random.ts';
import { RunConfig } from '../../../workflows/contract/config.ts';
import type { Head } from '../../../workflows/contract/ref.ts';

export interface Synthetic {
  generations: number;
  /** How many of the held-out evaluations to write: 0, 1 (before training), 2 (and after), 3 (and half way). */
  evaluations: number;
  strategy?: 'diverge' | 'grpo' | 'exit';
  /** Added to every answer, e.g. markup that must stay text, or bulk. */
  suffix?: string;
}

/**
 * Writes a run that looks like a real one: real curriculum, real grades, real artifacts; only the policy is made up.
 * Its chance to answer right grows with every generation.
 */
export async function writeSyntheticRun(store: Store, runKey: string, synthetic: Synthetic): Promise<void> {
  const preset = `../../../presets/${synthetic.strategy ?? 'diverge'}-robust.json`;
  const given: unknown = JSON.parse(readFileSync(new URL(preset, import.meta.url), 'utf8'));
  const config = { ...RunConfig.parse(given), generations: Math.max(1, synthetic.generations) };
  const domain = openDomain(config.domain);
  const random = (...identity: (string | number)[]) => uniform(keyOf(['synthetic', ...identity]), 0);
  const policyAt = (generation: number) => sha256(`policy ${generation}`);
  const put = (key: string, bytes: Uint8Array) => store.put(key, bytes, 'application/octet-stream');

  const configRef = await put(keys.config(runKey), canonicalBytes(config));
  const blob = await put(keys.policy(runKey, 0, 'adapter'), new Uint8Array(8));
  let curriculum = emptyCurriculum();
  const emptyRef = await put(keys.curriculum(runKey, 0), canonicalBytes(curriculum));
  let head: Head | null = null;
  const evaluated = [0, synthetic.generations, Math.round(synthetic.generations / 2)].slice(
    0,
    synthetic.evaluations,
  );

  for (let generation = 0; generation <= synthetic.generations; generation++) {
    const artifacts: ManifestObserved['artifacts'] = {
      config: configRef,
      policy: blob,
      optimizer: null,
      reference: null,
      curriculum: emptyRef,
      plan: null,
      rollouts: [],
      graded: [],
      embeddings: [],
      groups: null,
    };
    let made: Pick<ManifestContent, 'metrics' | 'conservation'> = { metrics: null, conservation: null };
    if (generation > 0) made = await makeGeneration(generation, artifacts);
    head = await commitManifest(
      store,
      runKey,
      {
        schema: 2,
        generation,
        parent: head?.hash ?? null,
        configHash: hashOf(config),
        seed: config.seed,
        model: sha256('model'),
        policy: policyAt(generation),
        optimizer: null,
        reference: null,
        curriculum: artifacts.curriculum.sha256,
        plan: artifacts.plan?.sha256 ?? null,
        rollouts: [],
        graded: [],
        embeddings: artifacts.embeddings.map((ref) => ref.sha256),
        groups: artifacts.groups?.sha256 ?? null,
        ...made,
        changes: generation === 3 ? [{ path: 'training.learningRate', from: 0.0003, to: 0.0001 }] : [],
      },
      observe(generation, artifacts),
    );
    if (evaluated.includes(generation)) await evaluate(generation);
  }

  async function makeGeneration(generation: number, artifacts: ManifestObserved['artifacts']) {
    const { draws, cursor } = select(curriculum, config.curriculum, {
      seed: config.seed,
      generation,
      prompts: config.sampling.promptsPerGeneration,
      taskIds: domain.taskIds('train'),
      begin: (taskId) => domain.task(taskId).request,
    });
    const prompts = draws.map(promptOf);
    const rows = prompts.map((prompt) =>
      Array.from({ length: config.sampling.rolloutsPerPrompt }, (_, rollout) =>
        answer(prompt, generation, `g${generation}/${prompt.ordinal}/${rollout}`, rollout),
      ),
    );
    const scored = scoreGroups({
      curriculum,
      draws,
      outcomes: rows.map((group) =>
        group.map(({ rolloutId, quality, completion, finishReason }) => ({
          rolloutId,
          quality: quality ?? 0,
          response: completion,
          truncated: finishReason === 'length',
          failure: null,
          ...(config.curriculum.diversityBonus && { embedding: embeddingOf(rolloutId, generation, quality) }),
        })),
      ),
      config,
      domainReward: domain.rewardMode,
      generation,
      cursor,
    });
    ({ curriculum } = scored);
    const groupRows = scored.groups.flatMap(({ rollouts, learnability, dropped }, ordinal) =>
      rollouts.map(({ reward, advantage, diversity }, rollout): GroupRow => ({
        ...rows[ordinal]![rollout]!,
        reward,
        advantage,
        diversity,
        learnability,
        dropped,
      })),
    );
    const plan: Plan = { schema: 1, generation, prompts, cursor };
    artifacts.plan = await put(keys.plan(runKey, { kind: 'generation', generation }), canonicalBytes(plan));
    if (config.curriculum.diversityBonus)
      artifacts.embeddings = [
        await put(
          keys.embeddings(runKey, { kind: 'generation', generation }, 0),
          encodeEmbeddings(
            groupRows.map(({ rolloutId, quality }) => ({
              rolloutId,
              embedding: embeddingOf(rolloutId, generation, quality),
            })),
          ),
        ),
      ];
    artifacts.groups = await put(keys.groups(runKey, generation), encodeGroups(groupRows));
    artifacts.curriculum = await put(keys.curriculum(runKey, generation), canonicalBytes(curriculum));
    const buffer = bufferStatistics(curriculum);
    const byStep: Record<string, { prompts: number; meanQuality: number; meanReward: number }> = {};
    for (const step of new Set(draws.map((draw) => draw.step))) {
      const groups = scored.groups.filter((group) => group.step === step);
      byStep[step] = {
        prompts: groups.length,
        meanQuality: mean(groups.map(({ meanQuality }) => meanQuality)),
        meanReward: mean(groups.map(({ meanReward }) => meanReward)),
      };
    }
    const completionTokens = groupRows.reduce((sum, { completionIds }) => sum + completionIds.length, 0);
    const trained = groupRows.filter(({ dropped }) => dropped === null);
    const trainedTokens = trained.reduce((sum, { completionIds }) => sum + completionIds.length, 0);
    return {
      conservation: scored.conservation,
      metrics: {
        meanReward: mean(groupRows.map(({ reward }) => reward)),
        meanQuality: mean(groupRows.map(({ quality }) => quality ?? 0)),
        byStep,
        groupsWithSignal: scored.conservation.trained,
        bufferSize: buffer.size,
        bufferMeanDepth: buffer.meanDepth,
        bufferMaxDepth: buffer.maxDepth,
        bufferMeanScore: buffer.meanScore,
        selection: scored.selection,
        meanDiversity: config.curriculum.diversityBonus ? 1 : null,
        truncated: groupRows.filter(({ finishReason }) => finishReason === 'length').length,
        promptTokens: prompts.reduce((sum, { promptIds }) => sum + promptIds.length, 0),
        completionTokens,
        update:
          trained.length === 0
            ? null
            : {
                loss: -0.01 * random('loss', generation),
                gradientNorm: 0.4 + random('norm', generation),
                kl: 0,
                negativeLogProb: 0.9 * 0.97 ** generation + 0.05 * random('nll', generation),
                entropy: 0.8 * 0.97 ** generation + 0.05 * random('entropy', generation),
                clippedLow: 0.01 * random('low', generation),
                clippedHigh: 0.01 * random('high', generation),
                importanceWeight: 1,
                importanceCapped: 0,
                samplerMismatch: 0.0004 + 0.0002 * random('mismatch', generation),
                largestMismatch: 0.004 + 0.002 * random('largest', generation),
                trainedTokens,
                processedTokens: trainedTokens + 500,
                checkpointedPasses: 0,
                steps: 1,
              },
      },
    };
  }

  function promptOf(draw: Draw): PlannedPrompt {
    const { instance, ordinal, step, source } = draw;
    const { family, gold } = domain.task(instance.baseTaskId);
    const { request, response } = instance.history[0]!;
    const asked = request.map(({ content }) => content).join('\n');
    return {
      ordinal,
      step,
      source,
      instanceId: instance.id,
      parentInstanceId: instance.parent?.instanceId ?? null,
      parentRolloutId: instance.parent?.rolloutId ?? null,
      baseTaskId: instance.baseTaskId,
      family,
      gold,
      turn: 0,
      depth: instance.depth,
      promptText: `<|im_start|>user\n${step === 'base' ? asked : `${step}: ${asked}\n${response}`}<|im_end|>\n<|im_start|>assistant\n`,
      promptIds: Array.from({ length: 40 + asked.length }, (_, token) => token),
      seeds: Array.from({ length: config.sampling.rolloutsPerPrompt }, () => '0123456789abcdef'),
      instance,
    };
  }

  /** A made-up answer: right more often the longer the policy was trained and the more often it tried. */
  function answer(prompt: PlannedPrompt, generation: number, rolloutId: string, rollout: number) {
    const { instance, promptText, seeds, ...columns } = prompt;
    const hardness = random('hardness', prompt.family) + random('hardness', prompt.baseTaskId);
    const skill = 3 * (1 - 0.9 ** generation) + (prompt.step === 'base' ? 0 : 0.25 + generation * 0.03);
    const right = random(rolloutId, 'right') < 1 / (1 + Math.exp(2.4 * hardness - skill + 0.6));
    const wrongBy = 1 + Math.floor(9 * random(rolloutId, 'wrong'));
    const said = right ? prompt.gold : String(Number(prompt.gold) + wrongBy);
    const completion = `Let us see: ${instance.history[0]?.request.at(-1)?.content ?? ''} The answer is ${said}.${synthetic.suffix ?? ''}`;
    const length = 12 + Math.floor(20 * random(rolloutId, 'length'));
    const { quality, verdict, answer: read } = gradeAnswer(completion, prompt.gold);
    return {
      ...columns,
      rolloutId,
      generation,
      rollout,
      prompt: promptText,
      completion,
      completionIds: Array.from({ length }, (_, token) => token),
      logProbs: Array.from({ length }, () => -0.5),
      policyLogProbs: Array.from({ length }, () => -0.5),
      finishReason: length > 30 ? ('length' as const) : ('stop' as const),
      seed: seeds[rollout] ?? '',
      policy: policyAt(generation - 1),
      quality,
      verdict,
      answer: read,
      graderVersion: domain.graderVersion,
      error: null,
    };
  }

  /** Right answers lie apart from wrong ones, and all of them drift. */
  function embeddingOf(rolloutId: string, generation: number, quality: number | null): number[] {
    return Array.from(
      { length: 8 },
      (_, i) => (i === 0 ? generation / 4 : i === 1 ? (quality ?? 0) : 0) + random(rolloutId, 'embedding', i),
    );
  }

  async function evaluate(generation: number): Promise<void> {
    const { tasks, depth } = config.evaluation;
    let draws = domain
      .taskIds('heldOut')
      .slice(0, tasks)
      .map((taskId, ordinal): Draw => ({
        ordinal,
        step: 'base',
        source: 'taskSet',
        instance: baseInstance(taskId, domain.task(taskId).request),
      }));
    const rowsK: EvaluationRow[][] = [];
    for (let k = 0; k <= depth; k++) {
      const prompts = draws.map(promptOf);
      const place = { kind: 'evaluation', generation, depth: k } as const;
      const plan: Plan = { schema: 1, generation, prompts, cursor: null };
      await put(keys.plan(runKey, place), canonicalBytes(plan));
      const rows = prompts.map((prompt) => {
        const { baseTaskId, ...row } = answer(
          prompt,
          generation,
          `e${generation}/k${k}/${prompt.ordinal}/0`,
          0,
        );
        return { ...row, taskId: baseTaskId, sample: 0 };
      });
      rowsK.push(rows);
      await put(keys.evaluationRows(runKey, generation, k), encodeEvaluation(rows));
      draws = draws.map(({ ordinal, instance }) => ({
        ordinal,
        step: 'improve',
        source: 'taskSet',
        instance: instanceOf({
          ...instance,
          depth: k + 1,
          history: answered(instance.history, rows[ordinal]!.completion),
        }),
      }));
    }
    const { accuracyK, passK, correctedK, brokenK, delta } = await selfImprovement(
      rowsK.map((rows) => rows.map(({ quality }) => [quality ?? 0])),
      config.seed,
      () => Promise.resolve(),
    );
    const summary: EvaluationSummary = {
      schema: 2,
      generation,
      policy: policyAt(generation),
      tasks,
      samplesPerTask: 1,
      depths: accuracyK.map(({ value, low, high }, k) => ({
        k,
        accuracy: value,
        low,
        high,
        pass: passK[k]!,
        corrected: correctedK[k]!,
        broken: brokenK[k]!,
        tokens: rowsK[k]!.reduce((sum, { completionIds }) => sum + completionIds.length, 0),
      })),
      delta,
    };
    await put(keys.evaluationSummary(runKey, generation), legibleBytes(summary));
  }

  function observe(generation: number, artifacts: ManifestObserved['artifacts']): ManifestObserved {
    const seconds = { sample: 0.1, iterate: 9, evaluate: 0.6, score: 0.1, update: 14, commit: 0.1 };
    return {
      runKey,
      committedAt: new Date(Date.UTC(2026, 0, 31, 12, 0, generation * 25)).toISOString(),
      host: 'workshop',
      processor: 'AMD EPYC 7763, 2 threads',
      versions: { reiterate: '0.1.0', node: 'v20.20.2', onnxruntime: '1.30.0' },
      workflowId: 'run',
      workflowRunId: 'd3b07384-d9a0-4c9b-8f3b-000000000000',
      artifacts,
      seconds: generation === 0 ? {} : scale(seconds, 0.8 + 0.4 * random('speed', generation)),
      peakResidentBytes: generation === 0 ? null : 2 ** 31,
    };
  }
}

function scale(seconds: Record<string, number>, by: number): Record<string, number> {
  return Object.fromEntries(Object.entries(seconds).map(([step, value]) => [step, value * by]));
}
