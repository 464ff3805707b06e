import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { keys } from './artifacts/keys.ts';
import type { Dependencies } from './dependencies.ts';

/** Keeps a closed child workflow's history beside the run, for audits and as a replay corpus. */
export function exportHistory({ store, client }: Dependencies) {
  return async ({ runKey, workflowId }: { runKey: string; workflowId: string }): Promise<void> => {
    const history = await client.workflow.getHandle(workflowId).fetchHistory();
    const bytes = new TextEncoder().encode(historyToJSON(history));
    await store.overwrite(keys.history(runKey, workflowId), bytes, 'application/json');
  };
}
