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
  return { runKey, file: await writeOut(out ?? pageFile(runKey), html), key };
}

/** Where the page of a run or an ablation goes when nobody says. */
export function pageFile(name: string): string {
  return join('out', `${name.replaceAll(/[^\w.@-]/g, '_')}.html`);
}

/** Writes a file, with the folders above it, and returns its absolute path. */
export async function writeOut(out: string, content: string | Uint8Array): Promise<string> {
  const file = resolve(out);
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  } catch (cause) {
    throw new CommandFailure(exitCodes.failed, `${file} cannot be written: ${(cause as Error).message}`, {
      cause,
    });
  }
  return file;
}
