import type { FindRunInput, FindRunResult } from '../workflows/contract/steps.ts';
import { hashOf } from './artifacts/canonical.ts';
import { findHead, findRunKey } from './artifacts/manifests.ts';
import { continuationOf } from './continuation.ts';
import type { Dependencies } from './dependencies.ts';

/** The newest run of a name, when it was made with this very configuration: whoever needs it takes it up from there. */
export function findRun({ store }: Dependencies) {
  return async ({ id, config }: FindRunInput): Promise<FindRunResult> => {
    const runKey = await findRunKey(store, id);
    const found = runKey === null ? null : await findHead(store, runKey);
    if (runKey === null || found?.manifest.content.configHash !== hashOf(config)) return null;
    return continuationOf(store, runKey, found.head);
  };
}
