import { TypedFailure } from '../workflows/contract/failures.ts';
import type { FindRunInput, FindRunResult } from '../workflows/contract/evaluationSteps.ts';
import { hashOf } from './artifacts/canonical.ts';
import { findHead, findRunKey } from './artifacts/manifests.ts';
import { continuationOf } from './continuation.ts';
import type { Dependencies } from './dependencies.ts';

/**
 * The newest run of a name, when it was made with this very configuration: whoever needs it takes it up from there.
 *
 * @throws `InvalidRunConfig` when a set of problems that its policy is to play cannot be made.
 */
export function findRun({ store, openDomain }: Dependencies) {
  return async ({ id, config, sets = {} }: FindRunInput): Promise<FindRunResult> => {
    for (const [name, domain] of Object.entries(sets))
      try {
        openDomain(domain);
      } catch (error) {
        if (!(error instanceof TypedFailure)) throw error;
        throw new TypedFailure(error.type, `evaluation.sets.${name}: ${error.message}`, { cause: error });
      }
    const runKey = await findRunKey(store, id);
    const found = runKey === null ? null : await findHead(store, runKey);
    if (runKey === null || found?.manifest.content.configHash !== hashOf(config)) return null;
    return continuationOf(store, runKey, found.head);
  };
}
