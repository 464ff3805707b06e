import { setMaxListeners } from 'node:events';
import { readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { InfraProblem } from '../infra/problem.ts';
import { ensureSentenceModel } from '../infra/setup/embedder.ts';
import { setUp } from '../infra/setup/setUp.ts';
import { startTestServices, stopTestServices } from './services.ts';

/**
 * `npm test`: sets up what is missing, starts services of its own, and runs every `test/**\/*.test.ts`, each in a
 * process of its own, one after the other. Arguments keep the files whose path contains one of them.
 */
const root = dirname(fileURLToPath(import.meta.url));
/** A file that takes longer hangs. */
const fileTimeoutMs = 40 * 60_000;

function testFiles(filters: string[]): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(root, name))
    .filter(
      (file) =>
        filters.length === 0 || filters.some((filter) => relative(dirname(root), file).includes(filter)),
    )
    .sort();
}

interface Outcome {
  failed: boolean;
  skipped: string[];
}

function runTests(files: string[], signal: AbortSignal): Promise<Outcome> {
  const outcome: Outcome = { failed: false, skipped: [] };
  // Test processes get our own Node.js options, and with them tsx.
  const tests = run({ files, concurrency: 1, timeout: fileTimeoutMs, signal });
  tests.on('test:fail', () => (outcome.failed = true));
  tests.on('test:pass', ({ name, file, skip }) => {
    const where = file === undefined ? '' : ` (${relative(dirname(root), file)})`;
    if (skip !== undefined)
      outcome.skipped.push(`${name}${where}: ${skip === true ? 'no reason given' : skip}`);
  });
  const printed = tests.compose(new spec());
  printed.pipe(process.stdout, { end: false });
  return new Promise((resolve, reject) => printed.on('end', () => resolve(outcome)).on('error', reject));
}

async function main(): Promise<number> {
  const files = testFiles(process.argv.slice(2));
  if (files.length === 0) throw new InfraProblem(`No test file matches ${process.argv.slice(2).join(' ')}`);
  const report = (line: string) => console.error(`# ${line}`);
  const { model } = await setUp(report);
  await ensureSentenceModel(report);
  process.env['REITERATE_MODEL'] = model;
  const interruption = new AbortController();
  // The runner listens once a file.
  setMaxListeners(files.length + 10, interruption.signal);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort());
  try {
    await startTestServices();
    const { failed, skipped } = await runTests(files, interruption.signal);
    console.log(`${files.length} test files, ${failed ? 'not all passed' : 'all passed'}`);
    for (const test of skipped) console.log(`skipped: ${test}`);
    return failed ? 1 : 0;
  } finally {
    await stopTestServices();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof InfraProblem ? `reiterate: ${error.message}` : error);
  process.exitCode = 1;
}
