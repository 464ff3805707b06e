import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { connectStore } from '../../activities/artifacts/minioStore.ts';
import { down, status, up, type ServicesState } from '../../infra/services/services.ts';
import { setUp } from '../../infra/setup/setUp.ts';
import type { RunConfig } from '../../workflows/contract/config.ts';
import { runName, wholeNumber } from '../arguments.ts';
import { readRunConfig } from '../config.ts';
import { accuracyTable, rewardCurve } from '../curves.ts';
import { describeError, exitCodes, type ExitCode } from '../exit.ts';
import { follow } from '../follow.ts';
import { onInterrupt } from '../interrupt.ts';
import type { Snapshot } from '../observe.ts';
import { writeReport } from '../reportFile.ts';
import {
  connectTemporal,
  findRun,
  listRunsInTemporal,
  pageOf,
  startRun,
  type RunInTemporal,
  type Temporal,
} from '../temporal.ts';
import { duration, fields, note, print, printJson, width } from '../terminal.ts';
import { outcomeOf } from '../view.ts';
import { startWorkerProcess } from '../workerProcess.ts';

interface Options {
  config: string;
  seed?: number;
  id?: string;
  json?: boolean;
}

const preset = fileURLToPath(new URL('../../presets/demo.json', import.meta.url));

export function demoCommand(): Command {
  return new Command('demo')
    .description('set everything up, train a small model for some minutes, and show what it learned')
    .option('--seed <number>', "seed of the run; the configuration's when left out", wholeNumber)
    .option('--id <name>', 'name of the run', runName)
    .option('--config <file>', 'another run configuration', preset)
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
An unfinished demo of the same name goes on where it was. At a terminal the
services stay up at the end, until Ctrl-C; elsewhere they are stopped. When
one of them ran before the demo, they all stay up.

Example: reiterate demo --seed 2`,
    )
    .action(demo);
}

async function demo(options: Options): Promise<void> {
  const seed = options.seed === undefined ? [] : [`seed=${options.seed}`];
  const config = await readRunConfig(options.config, seed);
  const ranBefore = new Set(
    (await status()).filter(({ state }) => state === 'running').map(({ name }) => name),
  );

  const setUpStarted = performance.now();
  note('Setting up Temporal, MinIO and the model.');
  await setUp(note);
  const interrupt = onInterrupt();
  try {
    const services = await up({ report: note });
    const setUpMs = performance.now() - setUpStarted;
    note(`Set up in ${duration(setUpMs)}.`);
    const { signal } = interrupt;
    const last = signal.aborted ? null : await train(services, config, options, setUpMs, signal);
    process.exitCode = exitCodeFor(last);
  } finally {
    interrupt.done();
    // When one ran before, somebody uses them.
    if (ranBefore.size === 0) await down({ report: note });
    else note('The services ran before and stay up; stop them with `reiterate down`.');
  }
}

/** Runs a worker and the run to its end, shows the result, and waits for Ctrl-C at a terminal. */
async function train(
  { connection, folder }: ServicesState,
  config: RunConfig,
  options: Options,
  setUpMs: number,
  signal: AbortSignal,
): Promise<Snapshot | null> {
  const temporal = await connectTemporal(connection.temporal);
  const workerLog = join(folder, 'worker.log');
  try {
    note(`Starting a worker, log in ${workerLog}`);
    const worker = await startWorkerProcess(workerLog);
    try {
      if (signal.aborted) return null;
      const run = await startOrContinue(temporal, config, options);
      await noteOtherRuns(temporal, run);
      note('');
      const show = process.stderr.isTTY ? 'live' : 'lines';
      const last = await Promise.race([
        follow(temporal, run.workflowId, { show, signal, clear: true }),
        worker.failed,
      ]);
      if (!last || last.run.open) {
        note(
          '',
          `Interrupted. The run keeps what it has: \`reiterate demo --id ${run.workflowId}\` goes on with it,`,
          'and so does `reiterate up` with `reiterate worker`.',
        );
        return last;
      }
      const report = await tryReport(connection.store, last.run.runKey);
      const ui = pageOf(temporal, run.workflowId);
      if (options.json) printJson(resultOf(last, setUpMs, ui, report));
      else print('', ...summary(last, setUpMs, ui, report, workerLog));
      if (process.stderr.isTTY && !options.json) await untilInterrupted(signal);
      return last;
    } finally {
      note('Stopping the worker.');
      await worker.stop();
    }
  } finally {
    await temporal.close();
  }
}

function exitCodeFor(last: Snapshot | null): ExitCode {
  if (!last || last.run.open) return exitCodes.interrupted;
  return last.run.status === 'completed' ? exitCodes.ok : exitCodes.failed;
}

/** An open run of the wanted name goes on; else a new one is started, by default under the first free name. */
async function startOrContinue(
  temporal: Temporal,
  config: RunConfig,
  options: Options,
): Promise<RunInTemporal> {
  const base = options.id ?? (options.seed === undefined ? 'demo' : `demo-seed-${options.seed}`);
  for (let number = 1; ; number++) {
    const id = number === 1 ? base : `${base}-${number}`;
    const found = await findRun(temporal, id);
    if (found?.open) {
      note(`Going on with run ${found.runKey}, started ${found.startedAt.toLocaleString()}.`);
      return found;
    }
    // A name given by the user is used or refused, never changed.
    if (!found || options.id !== undefined) {
      const run = await startRun(temporal, id, config);
      note(
        `Started run ${run.runKey}: ${config.strategy}, ${config.generations} generations, seed ${config.seed}.`,
      );
      return run;
    }
  }
}

/** An interrupted run stays open, and any worker goes on with it. */
async function noteOtherRuns(temporal: Temporal, { runKey }: RunInTemporal): Promise<void> {
  const open = await listRunsInTemporal(temporal, "ExecutionStatus = 'Running'");
  const others = open.filter((run) => run.runKey !== runKey).map(({ workflowId }) => workflowId);
  if (others.length > 0)
    note(
      `Also open: ${others.join(', ')}. The worker goes on with them too, so each takes longer;`,
      '`reiterate stop RUN --now` ends one.',
    );
}

/** The run is what counts: a report that fails is said, and can be made again. */
async function tryReport(store: Parameters<typeof connectStore>[0], runKey: string): Promise<string | null> {
  try {
    return (await writeReport(connectStore(store), runKey)).file;
  } catch (error) {
    note(`No report: ${describeError(error, Boolean(process.env['REITERATE_DEBUG']))}`);
    return null;
  }
}

function summary(
  last: Snapshot,
  setUpMs: number,
  ui: string | null,
  report: string | null,
  workerLog: string,
): string[] {
  const { progress, run } = last;
  const lines = [outcomeOf(last)];
  if (progress && progress.rewards.length > 0)
    lines.push(
      '',
      'mean reward by generation',
      ...rewardCurve(progress.rewards, progress.rewardsFrom, width()),
    );
  if (progress && progress.evaluations.length > 0) lines.push('', ...accuracyTable(progress.evaluations));
  const places: [string, string][] = [
    ['Set-up', duration(setUpMs)],
    ['Run', duration(last.elapsedMs)],
  ];
  if (ui) places.push(['Temporal UI', ui]);
  if (report) places.push(['Report', report]);
  if (run.status === 'failed') places.push(['Worker log', workerLog]);
  else places.push(['Adapter', `reiterate policy export ${run.workflowId} --out DIR`]);
  return [...lines, '', ...fields(places)];
}

function resultOf(last: Snapshot, setUpMs: number, ui: string | null, report: string | null) {
  const { run, progress, failure, elapsedMs } = last;
  return {
    runKey: run.runKey,
    status: run.status,
    failure,
    setUpSeconds: Math.round(setUpMs / 1000),
    runSeconds: Math.round(elapsedMs / 1000),
    head: progress?.head ?? null,
    rewards: progress?.rewards ?? [],
    evaluations: progress?.evaluations ?? [],
    ui,
    report,
  };
}

async function untilInterrupted(signal: AbortSignal): Promise<void> {
  note('', 'The services stay up: look around, then press Ctrl-C to stop.');
  await new Promise<void>((resolve) => {
    // A promise alone does not keep the process alive.
    const alive = setInterval(() => {}, 60_000);
    const finish = () => {
      clearInterval(alive);
      resolve();
    };
    if (signal.aborted) finish();
    else signal.addEventListener('abort', finish, { once: true });
  });
}
