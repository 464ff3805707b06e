import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { legibleBytes, sha256 } from '../../activities/artifacts/canonical.ts';
import { keys } from '../../activities/artifacts/keys.ts';
import { commitManifest, findManifest } from '../../activities/artifacts/manifests.ts';
import { connectStore } from '../../activities/artifacts/minioStore.ts';
import { connectTemporal, type Temporal } from '../../client/temporal.ts';
import { taskQueues } from '../../workflows/contract/names.ts';
import type { Activities } from '../../workflows/contract/activities.ts';
import { content, evaluationSummary, observed } from '../artifacts/made.ts';
import { testServices } from '../services.ts';

/** Steps that can be held; `summarise set` is of an evaluation that an ablation asked for. */
type Held = 'update' | 'commit' | 'summarise' | 'summarise set';

/**
 * Runs whose steps compute nothing: workflows, server, manifests and summaries are real, a generation takes a moment.
 * Call it at the top level: the worker lives for the whole file.
 */
export async function connectQuickRuns() {
  const services = await testServices();
  const { address, namespace, options } = services.temporal;
  const connection = await Connection.connect({ address, ...options });
  const client = new Client({ connection, namespace });
  const store = connectStore(services.store);
  const holding = new Map<string, { settled: Promise<void>; settle: () => void }>();
  let temporal: Temporal;
  let native: NativeConnection;
  let workers: Worker[];
  let running: Promise<void[]>;

  const json = 'application/json';
  const ref = { key: 'nothing', sha256: sha256(''), bytes: 0 };
  const plan = { plan: ref, shards: [], prompts: {}, promptTokens: 0, seconds: 0 };
  const held = async (at: Held, generation: number) => {
    const step = `${at} ${generation}`;
    try {
      // Also when it is tried again, because it was held for longer than a step may be silent.
      await holding.get(step)?.settled;
    } finally {
      holding.delete(step);
    }
  };
  const commit = async (runKey: string, generation: number, parent: string | null) => {
    const { artifacts, ...rest } = observed(runKey);
    const config = (await store.find(keys.config(runKey)))!.ref;
    const record = { ...rest, artifacts: { ...artifacts, config } };
    return commitManifest(store, runKey, content(generation, parent), record);
  };
  const activities: Partial<Activities> = {
    initialise: async ({ runKey, config }) => {
      await store.put(keys.config(runKey), legibleBytes(config), json);
      return commit(runKey, 0, null);
    },
    sample: async () => plan,
    score: async () => ({
      groups: ref,
      curriculum: ref,
      meanReward: 0,
      groupsWithSignal: 0,
      conservation: { drawn: 0, trained: 0, withoutSignal: 0, filtered: {}, failed: {} },
      buffer: { size: 0, meanDepth: 0, maxDepth: 0, meanScore: 0 },
      selection: {},
      meanDiversity: null,
      seconds: 0,
    }),
    update: async ({ generation }) => {
      await held('update', generation);
      return {
        policy: ref,
        optimizer: null,
        reference: null,
        metrics: null,
        peakResidentBytes: null,
        seconds: 0,
      };
    },
    commit: async ({ runKey, head: { hash }, generation }) => {
      const head = await commit(runKey, generation, hash);
      await held('commit', generation);
      const shares = { truncatedShare: 0, failedShare: 0, mismatch: null };
      return { head, meanReward: 0, ...shares, summary: `generation ${generation}` };
    },
    openEvaluation: async ({ request: { policy }, name }) => {
      const runKey = policy.run!;
      const { head } = (await findManifest(store, runKey, policy.generation!))!;
      return { runKey, head, ...(name !== undefined && { name }), depth: 0, samplesPerTask: 1 };
    },
    pose: async () => plan,
    summarise: async ({ runKey, head: { generation }, name }) => {
      await held(name === undefined ? 'summarise' : 'summarise set', generation);
      const summary = evaluationSummary(generation, [generation / 100]);
      const key = keys.evaluationSummary(runKey, generation, name);
      return {
        summary: await store.put(key, legibleBytes(summary), json),
        accuracy: summary.depths.map(({ accuracy }) => accuracy),
        rows: [],
      };
    },
    exportHistory: async () => {},
    findRun: async () => null,
    // Its table is what it was asked to tabulate.
    tabulate: async (input) => ({
      table: await store.put(keys.ablationTable(input.key), legibleBytes(input), json),
    }),
  };

  before(async () => {
    temporal = await connectTemporal(services.temporal);
    Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
    native = await NativeConnection.connect({ address, ...options });
    const workflowsPath = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url));
    const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
    workers = await Promise.all(
      Object.entries(taskQueues).map(([role, taskQueue]) =>
        Worker.create({
          connection: native,
          namespace,
          taskQueue,
          activities,
          ...(role === 'run' && { workflowBundle: { code } }),
        }),
      ),
    );
    running = Promise.all(workers.map((worker) => worker.run()));
  });

  after(async () => {
    // A test that failed may have left one.
    for (const { settle } of holding.values()) settle();
    for (const worker of workers) worker.shutdown();
    await running;
    await native.close();
    await temporal.close();
    await connection.close();
  });

  return {
    client,
    store,
    temporal: () => temporal,
    /** Holds a step at its end, the next time it is made; what this returns lets it go on, or makes it fail. */
    hold(at: Held, generation: number): (failure?: Error) => void {
      let settle: (failure?: Error) => void = () => {};
      const settled = new Promise<void>((resolve, reject) => {
        settle = (failure) => (failure ? reject(failure) : resolve());
      });
      // Whoever made the step hears of it.
      settled.catch(() => {});
      holding.set(`${at} ${generation}`, { settled, settle });
      return settle;
    },
  };
}
