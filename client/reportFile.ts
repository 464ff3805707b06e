import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { keys } from '../activities/artifacts/keys.ts';
import type { Store } from '../activities/artifacts/store.ts';
import { CommandFailure, exitCodes } from './exit.ts';

export interface WrittenReport {
  runKey: string;
  file: string;
  key: string;
}

/** Builds the report of a run, keeps it beside the run and writes it to a file. */
export async function writeReport(store: Store, runKey: string, out?: string): Promise<WrittenReport> {
  // The plotting libraries are loaded only for this.
  const { buildReport } = await import('./report/report.ts');
  const html = await buildReport(store, runKey);
  const key = keys.report(runKey);
  await store.overwrite(key, new TextEncoder().encode(html), 'text/html; charset=utf-8');
  const file = resolve(out ?? join('out', `${runKey.replaceAll(/[^\w.@-]/g, '_')}.html`));
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, html);
  } catch (cause) {
    throw new CommandFailure(exitCodes.failed, `${file} cannot be written: ${(cause as Error).message}`, {
      cause,
    });
  }
  return { runKey, file, key };
}
