import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { connectStore } from '../../activities/artifacts/minioStore.ts';
import type { RunConfig } from '../../workflows/contract/config.ts';
import type { RunProgress } from '../../workflows/contract/progress.ts';
import { taskQueues } from '../../workflows/contract/names.ts';
import { plainTraining } from '../training.ts';
import { testServices } from '../services.ts';

const workerScript = fileURLToPath(new URL('./workerProcess.ts', import.meta.url));

/** A small run with the real model: every step happens, in under a minute. */
export const smallConfig: RunConfig = {
  strategy: 'exit',
  seed: 3,
  generations: 2,
  model: 'SmolLM2-135M-Instruct',
  domain: {
    name: 'arithmetic',
    families: { addOne: 1, multiplyOne: 1 },
    trainTasks: 40,
    heldOutTasks: 8,
    taskSeed: 1,
  },
  curriculum: {
    capacity: 16,
    minimumSize: 2,
    selectProbability: 0.5,
    selfIteration: true,
    divergeProbability: 0.3,
    selection: {
      name: 'softmax',
      inverseTemperature: 10,
      staleness: 0,
      perEpisode: false,
    },
    scoreOn: 'reward',
    expand: 'one',
    maxPerBaseTask: null,
    diversityBonus: { embedder: 'reference', scale: 'paper', positiveOnly: false },
  },
  reward: { mode: 'domain', minHeadroom: 0.05 },
  sampling: {
    promptsPerGeneration: 6,
    rolloutsPerPrompt: 6,
    maxNewTokens: 32,
    temperature: 1,
    topK: null,
    topP: null,
    promptsPerShard: 3,
    precision: 'float32',
  },
  training: { ...plainTraining, klCoefficient: 0.001, reference: { interval: 1, alpha: 0.5 } },
  evaluation: { tasks: 4, depth: 1, samplesPerTask: 1, temperature: 1, topK: null, topP: null, every: 0 },
  guards: { zeroRewardGenerations: null, truncatedShare: null, graderErrorShare: null, meanMismatch: null },
  device: 'cpu',
  threads: 2,
  graderTimeoutMs: 60_000,
};

/** Two layers with random weights, which learn nothing but take no time; their context holds no quoted answer. */
export const tinyConfig: RunConfig = {
  ...smallConfig,
  model: fileURLToPath(new URL('../fixtures/policy/tiny.gguf', import.meta.url)),
  strategy: 'grpo',
  curriculum: {
    ...smallConfig.curriculum,
    selectProbability: 0,
    selection: { name: 'uniform' },
    selfIteration: false,
    divergeProbability: 0,
    diversityBonus: null,
  },
  sampling: { ...smallConfig.sampling, promptsPerGeneration: 2, rolloutsPerPrompt: 2, maxNewTokens: 4 },
  evaluation: { ...smallConfig.evaluation, tasks: 2, depth: 0 },
};

export async function connectHarness() {
  const services = await testServices();
  const connection = await Connection.connect({
    address: services.temporal.address,
    ...services.temporal.options,
  });
  const client = new Client({ connection, namespace: services.temporal.namespace });
  return { services, client, store: connectStore(services.store), close: () => connection.close() };
}
/** The same with a worker from before the first test of a file to after its last. Call it at the top level. */
export async function connectWithWorker(): Promise<Harness> {
  const harness = await connectHarness();
  let worker: ChildProcess;
  before(async () => {
    worker = await startWorkerProcess();
  });
  after(async () => {
    await end(worker, 'SIGTERM');
    await harness.close();
  });
  return harness;
}

export type Harness = Awaited<ReturnType<typeof connectHarness>>;

/** Starts a worker in a process of its own and waits until it polls. */
export async function startWorkerProcess(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [...process.execArgv, workerScript], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: process.env,
  });
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('exit', (code) => reject(new Error(`the worker ended with code ${code} before it was ready`)));
  });
  return child;
}

/** Ends a process and waits for its end. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}

export function startRun(client: Client, id: string, config: unknown) {
  return client.workflow.start<(config: unknown) => Promise<RunProgress>>('exitRun', {
    workflowId: id,
    taskQueue: taskQueues.run,
    args: [config],
  });
}

/**
 * Starts a run and comes back when an activity of its first generation has run for a moment, so that a kill lands in
 * its middle. Its first heartbeat with progress would be too late to wait for: the server hears one a second, and a fast
 * machine is done by then. When the step was over before that, another run is started, and looked at earlier.
 */
export async function runInTheMiddle(client: Client, id: string, config: unknown, activityId: string) {
  for (const momentMs of [200, 100, 50, 0, 0]) {
    const name = `${id}-${momentMs}-${Math.random().toString(36).slice(2, 8)}`;
    const handle = await startRun(client, name, config);
    const stateOf = () => stateOfActivity(client, `${name}/gen-0001`, activityId);
    await until(`${activityId} of ${name} has begun`, async () => (await stateOf()) !== 'waiting', {
      everyMs: 20,
    });
    await sleep(momentMs);
    if ((await stateOf()) === 'running') return handle;
    await handle.terminate();
  }
  throw new Error(`${activityId} of ${id} was over, five times, before anything could happen to it`);
}

async function stateOfActivity(client: Client, workflowId: string, activityId: string) {
  const described = await client.workflow
    .getHandle(workflowId)
    .describe()
    .catch(() => null);
  if (!described) return 'waiting';
  const pending = described.raw.pendingActivities?.find((activity) => activity.activityId === activityId);
  if (pending) return pending.lastStartedTime ? 'running' : 'waiting';
  return (await scheduledIn(client, workflowId)).includes(activityId) ? 'over' : 'waiting';
}

/** Ids of the activities that a workflow has scheduled, in their order. */
export async function scheduledIn(client: Client, workflowId: string): Promise<string[]> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  return (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) =>
    scheduled?.activityId ? [scheduled.activityId] : [],
  );
}

/** Waits until a check holds; one that throws does not hold yet. */
export async function until(
  what: string,
  check: () => Promise<boolean>,
  { everyMs = 100, timeoutMs = 10 * 60_000 } = {},
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const seen = await check().catch((cause: unknown) => ({ cause }));
    if (seen === true) return;
    if (Date.now() > deadline)
      throw new Error(`waited ${timeoutMs / 1000} s in vain until ${what}`, seen === false ? {} : seen);
    await sleep(everyMs);
  }
}

export function progressOf(client: Client, id: string): Promise<RunProgress> {
  return client.workflow.getHandle(id).query<RunProgress>('progress');
}

/** Process id of the engine child below a process; null when there is none. */
export function engineBelow(ancestor: number): number | null {
  const listed = spawnSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' }).stdout;
  const processes = listed
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .flatMap((match) =>
      match ? [{ pid: Number(match[1]), parent: Number(match[2]), args: match[3] ?? '' }] : [],
    );
  const below = (pid: number): boolean => {
    const parent = processes.find((one) => one.pid === pid)?.parent;
    return parent !== undefined && (parent === ancestor || below(parent));
  };
  return processes.find(({ pid, args }) => args.includes('policy/engine/child') && below(pid))?.pid ?? null;
}

/** The Temporal CLI as a user has it, pointed at the test services. */
export async function temporalCli(harness: Harness, ...args: string[]) {
  const { ensureTemporal } = await import('../../infra/setup/temporal.ts');
  const { address, namespace } = harness.services.temporal;
  const binary = await ensureTemporal(() => {});
  return spawnSync(binary, [...args, '--address', address, '--namespace', namespace], {
    encoding: 'utf8',
    timeout: 60_000,
  });
}
