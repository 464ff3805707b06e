import { shaOf } from '../workflows/contract/ref.ts';
import { CollectResult, type CollectInput } from '../workflows/contract/evaluationSteps.ts';
import { readDepths } from './answers.ts';
import { canonicalJson } from './artifacts/canonical.ts';
import { keys } from './artifacts/keys.ts';
import { once } from './artifacts/once.ts';
import type { Dependencies } from './dependencies.ts';
import { loadState } from './state.ts';

/** Every iterate of every problem as one file, a problem's sample a line: what it was asked, and the answers in order. */
export function collect(dependencies: Dependencies) {
  return async (input: CollectInput): Promise<CollectResult> => {
    const { store } = dependencies;
    const { runKey, head, depths, name } = input;
    const { generation } = head;
    const place = { kind: 'evaluation', generation, depth: depths.length - 1, name } as const;
    const inputs = depths.map(({ rollouts }) => rollouts.map(shaOf));
    return once(store, keys.step(runKey, place, 'collect'), inputs, CollectResult, async () => {
      const { config } = await loadState(store, input);
      const { samplesPerTask } = config.evaluation;
      const domain = dependencies.openDomain(config.domain);
      const answersK = await readDepths(store, depths);
      const chains = (answersK[0] ?? []).map(({ baseTaskId }, index) => {
        const iterates = answersK.map((answers) => answers[index]!);
        const request = domain.task(baseTaskId).request.map(({ content }) => content);
        return {
          id: baseTaskId,
          sample: index % samplesPerTask,
          question: request.join('\n\n'),
          answer: iterates.at(-1)!.completion,
          iterates: iterates.map(({ completion, finishReason, quality, rolloutId }, k) => ({
            k,
            rolloutId,
            completion,
            finishReason,
            // Where the right answer was given.
            ...(quality !== null && { quality }),
          })),
        };
      });
      const lines = chains.map((chain) => `${canonicalJson(chain)}\n`).join('');
      return {
        answers: await store.put(
          keys.answers(runKey, generation, name),
          new TextEncoder().encode(lines),
          'application/x-ndjson',
        ),
        problems: new Set(chains.map(({ id }) => id)).size,
        changed: chains.filter(({ answer, iterates }) => answer !== iterates[0]!.completion).length,
      };
    });
  };
}
