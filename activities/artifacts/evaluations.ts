import { parseJson } from './canonical.ts';
import { EvaluationSummary } from './evaluation.ts';
import { evaluationOfFolder, keys } from './keys.ts';
import type { Store } from './store.ts';

/** Finished evaluations of a run, by generation: its own, or those besides, which have names. */
export async function readEvaluations(
  store: Store,
  runKey: string,
  which: 'own' | 'named' = 'own',
): Promise<EvaluationSummary[]> {
  const folders = (await store.folders(keys.evaluations(runKey))).map(evaluationOfFolder);
  const found = await Promise.all(
    folders
      .filter(({ name }) => (name === undefined) === (which === 'own'))
      .map(async ({ generation, name }) => {
        const key = keys.evaluationSummary(runKey, generation, name);
        const summary = await store.find(key);
        return summary ? parseJson(summary.bytes, EvaluationSummary, key) : null;
      }),
  );
  // By number: names sort only up to generation 9999.
  return found.filter((summary) => summary !== null).sort((a, b) => a.generation - b.generation);
}
