import type { EvaluationRequest, ProblemFile } from '../workflows/contract/evaluation.ts';
import { taskCounts, unanswered, type DomainConfig, type DomainOf } from '../workflows/contract/domain.ts';
import { TypedFailure } from '../workflows/contract/failures.ts';
import type { Head } from '../workflows/contract/ref.ts';
import type { From, Place } from '../workflows/contract/steps.ts';
import { OpenEvaluationResult, type OpenEvaluationInput } from '../workflows/contract/evaluationSteps.ts';
import { legibleBytes } from './artifacts/canonical.ts';
import type { EvaluationSetting } from './artifacts/evaluation.ts';
import { keys } from './artifacts/keys.ts';
import { findHead, findManifest, findRunKey } from './artifacts/manifests.ts';
import { once } from './artifacts/once.ts';
import type { Store } from './artifacts/store.ts';
import type { Dependencies } from './dependencies.ts';
import { parseProblems } from './domains/problems/parse.ts';
import { assertPlayable } from './evaluationSize.ts';
import { loadState } from './state.ts';

/** Finds the policy, and fixes which problems it plays and how, before any work is done. */
export function openEvaluation(dependencies: Dependencies) {
  return async ({ request, name, made, graded }: OpenEvaluationInput): Promise<OpenEvaluationResult> => {
    const { store } = dependencies;
    const { runKey, head } = made ?? (await findPolicy(store, request));
    const place: Place = {
      kind: 'evaluation',
      generation: head.generation,
      depth: 0,
      ...(name !== undefined && { name }),
    };
    const { name: _, policy: __, ...asked } = request;
    const inputs = [head.hash, asked, graded];
    const opened = once(store, keys.step(runKey, place, 'open'), inputs, OpenEvaluationResult, async () => {
      const { config } = await loadState(store, { runKey, head });
      if (name === undefined) {
        assertPlayable(config, false);
        const { depth, samplesPerTask } = config.evaluation;
        return { runKey, head, depth, samplesPerTask };
      }
      const domain = request.problems
        ? await readProblems(store, request.problems)
        : (request.domain ?? config.domain);
      dependencies.openDomain(domain);
      if (graded) assertAnswers(domain);
      const { tasks: heldOut, key } = taskCounts(domain).heldOut;
      const ofRun = !request.domain && !request.problems;
      const tasks = request.tasks ?? ((ofRun && config.evaluation.tasks) || heldOut);
      if (tasks > heldOut || tasks === 0)
        throw new TypedFailure(
          'InvalidRunConfig',
          `tasks: ${tasks} held-out problems asked for; the domain has ${heldOut} (domain.${key})`,
        );
      const { evaluation, sampling, seed } = config;
      const setting: EvaluationSetting = {
        schema: 1,
        domain,
        evaluation: {
          tasks,
          depth: request.depth ?? evaluation.depth,
          samplesPerTask: request.samplesPerTask ?? evaluation.samplesPerTask,
          temperature: request.temperature ?? evaluation.temperature,
          topK: request.topK === undefined ? evaluation.topK : request.topK,
          topP: request.topP === undefined ? evaluation.topP : request.topP,
          every: 0,
        },
        maxNewTokens: request.maxNewTokens ?? sampling.maxNewTokens,
        seed: request.seed ?? seed,
      };
      const { depth, samplesPerTask, temperature } = setting.evaluation;
      if (request.baselines && (depth === 0 || temperature === 0))
        throw new TypedFailure(
          'InvalidRunConfig',
          'baselines: they need a depth ≥ 1 to be compared with, and a temperature above 0, without which all answers are alike',
        );
      assertPlayable({ ...setting, sampling }, request.baselines ?? false);
      const ref = await store.put(
        keys.evaluationSetting(runKey, head.generation, name),
        legibleBytes(setting),
        'application/json',
      );
      return { runKey, head, setting: ref, name, depth, samplesPerTask };
    });
    return opened.catch((error: unknown) => {
      if (name === undefined || !(error instanceof TypedFailure) || error.type !== 'ArtifactConflict')
        throw error;
      throw new TypedFailure(
        'InvalidRunConfig',
        `name: an evaluation named '${name}' of generation ${head.generation} of ${runKey} was made with other settings; choose another one (--id, or the name of the set in an ablation)`,
        { cause: error },
      );
    });
  };
}

async function findPolicy(store: Store, { policy }: EvaluationRequest): Promise<From> {
  const runKey = await findRunKey(store, policy.run ?? '');
  if (runKey === null)
    throw new TypedFailure(
      'ArtifactMissing',
      `policy.run: the record has no run '${policy.run}': see \`reiterate runs\``,
    );
  const newest = await findHead(store, runKey);
  const head: Head | undefined =
    policy.generation === undefined
      ? newest?.head
      : (await findManifest(store, runKey, policy.generation))?.head;
  if (!head)
    throw new TypedFailure(
      'ArtifactMissing',
      `policy.generation: run ${runKey} has no generation ${policy.generation}; its newest is ${newest?.head.generation ?? 'none'}`,
    );
  return { runKey, head };
}

/** @throws `InvalidRunConfig` naming the line that is not a problem. */
async function readProblems(store: Store, { file, instruction }: ProblemFile): Promise<DomainOf<'problems'>> {
  const lines = new TextDecoder().decode(await store.read(file)).split('\n');
  return { name: 'problems', instruction, train: [], heldOut: parseProblems(lines, file.key) };
}

function assertAnswers(domain: DomainConfig): void {
  const id = unanswered(domain, 'heldOut');
  if (id !== null)
    throw new TypedFailure(
      'InvalidRunConfig',
      `problems: '${id}' has no answer, so nothing can be said of accuracy; give one, or use selfImprove, which needs none`,
    );
}
