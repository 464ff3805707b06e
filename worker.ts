import { hostname, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  type NativeConnectionOptions,
  Runtime,
  Worker,
  type WorkerOptions,
} from '@temporalio/worker';
import type { Logger } from 'pino';
import { Boundary } from './activities/boundary.ts';
import { connectStore, type StoreConnection } from './activities/artifacts/minioStore.ts';
import type { Dependencies } from './activities/dependencies.ts';
import { createGraderPool } from './activities/domains/grader/pool.ts';
import { openDomain } from './activities/domains/open.ts';
import { createActivities } from './activities/index.ts';
import { openDevice } from './activities/policy/engine/device.ts';
import type { Device, EmbedderFiles, Tokenizer } from './activities/policy/policy.ts';
import { openTokenizer } from './activities/policy/tokenizer/tokenizer.ts';
import type { EmbedderName } from './workflows/contract/config.ts';
import { TypedFailure } from './workflows/contract/failures.ts';
import { searchAttributes, taskQueues } from './workflows/contract/names.ts';

export type Role = keyof typeof taskQueues;

export interface WorkerSettings {
  temporal: {
    address: string;
    namespace: string;
    /** TLS, API key and headers, for a server that is not ours. */
    options: Pick<NativeConnectionOptions, 'tls' | 'apiKey' | 'metadata'>;
  };
  store: StoreConnection;
  /** Path of the model, a file or a folder, for a model name of a configuration; fails with `ModelUnavailable`. */
  resolveModel: (name: string) => Promise<string>;
  /** An embedder and the folder of its files; fails with `EmbedderUnavailable`. */
  resolveEmbedder: (name: EmbedderName) => Promise<EmbedderFiles>;
  /** The CPUs its engines stay on, such as `0-3,8`; any when left out. */
  cpus?: string | undefined;
  /** Which task queues this process serves; all of them unless told. */
  roles?: readonly Role[];
  log: Logger;
  /** Aborting drains the worker: running steps stop after their mini-step and start again elsewhere. */
  signal?: AbortSignal;
  /** Called when every role polls for work. */
  onReady?: () => void;
}

/** How long a step may take to stop: about two mini-steps of the engine. */
const shutdownForceTime = '20s';

/** Longest wait for one answer of the Temporal server. */
const answerMs = 10_000;

/**
 * Runs a worker until `signal` aborts. One process may serve every task queue (the embedded default); production
 * runs the roles apart, one `policy` worker for each device.
 */
export async function runWorker(settings: WorkerSettings): Promise<void> {
  const { log } = settings;
  installRuntimeLogger(log);
  const { address, namespace, options } = settings.temporal;
  const store = connectStore(settings.store);
  await store.check();
  const native = await NativeConnection.connect({ address, ...options });
  const connection = await Connection.connect({ address, ...options });
  const models = openModels(settings);
  const graders = createGraderPool();
  try {
    await checkSearchAttributes(connection, namespace, log);
    const activities = createActivities({
      store,
      ...models,
      embedder: settings.resolveEmbedder,
      openDomain,
      graders,
      client: new Client({ connection, namespace }),
      environment: environment(),
    });
    const workers: Worker[] = [];
    for (const role of settings.roles ?? (Object.keys(taskQueues) as Role[]))
      workers.push(
        await Worker.create({ connection: native, namespace, ...(await optionsOf(role, activities)) }),
      );
    const stop = () => workers.forEach((worker) => worker.getState() === 'RUNNING' && worker.shutdown());
    settings.signal?.addEventListener('abort', stop, { once: true });
    // One that ends takes the others along: left alone they would go on taking steps, with no engine to do them.
    const failures: unknown[] = [];
    const running = Promise.all(
      workers.map((worker) =>
        worker
          .run()
          .catch((error: unknown) => void failures.push(error))
          .finally(stop),
      ),
    );
    if (settings.signal?.aborted) stop();
    settings.onReady?.();
    await running;
    // Others may have failed of being stopped.
    if (failures.length > 0) throw failures[0];
  } finally {
    await Promise.allSettled([models.close(), graders.close()]);
    await Promise.allSettled([connection.close(), native.close()]);
  }
}

/** A run that sets an attribute which the server does not know would hang for ever in its first workflow task. */
async function checkSearchAttributes(connection: Connection, namespace: string, log: Logger): Promise<void> {
  let known: Record<string, unknown>;
  try {
    const ask = () => connection.operatorService.listSearchAttributes({ namespace });
    known = (await connection.withDeadline(Date.now() + answerMs, ask)).customAttributes;
  } catch (error) {
    // A server may keep this question to its operators.
    return log.warn({ error }, 'cannot see whether the search attributes of runs are registered');
  }
  const missing = Object.entries(searchAttributes).filter(([name]) => !(name in known));
  if (missing.length === 0) return;
  const flags = missing.map(([name, type]) => `--name ${name} --type ${typeNames[type]}`).join(' ');
  throw new TypedFailure(
    'ServerUnprepared',
    `Temporal namespace '${namespace}' lacks search attributes of runs. Register them: temporal operator search-attribute create --namespace ${namespace} ${flags}`,
  );
}

/** As the Temporal CLI writes them. */
const typeNames = { KEYWORD: 'Keyword', INT: 'Int', DOUBLE: 'Double' } as const;

async function optionsOf(role: Role, activities: object): Promise<WorkerOptions> {
  const common: WorkerOptions = {
    taskQueue: taskQueues[role],
    activities,
    // With a grace time the activity would hear nothing until the grace is over (SDK behaviour); so none.
    shutdownGraceTime: 0,
    shutdownForceTime,
    // Fresh heartbeat details, and recovery within about the heartbeat timeout after kill -9.
    maxHeartbeatThrottleInterval: '1s',
    defaultHeartbeatThrottleInterval: '1s',
    interceptors: { activity: [() => ({ inbound: new Boundary() })] },
  };
  switch (role) {
    case 'run': {
      const { code } = await bundleWorkflowCode({
        workflowsPath: fileURLToPath(new URL('./workflows/index.ts', import.meta.url)),
        logger: new DefaultLogger('WARN'),
      });
      return { ...common, workflowBundle: { code } };
    }
    case 'policy':
      // One slot a device: the engine does one thing at a time.
      return { ...common, maxConcurrentActivityTaskExecutions: 1 };
    case 'evaluate':
      return { ...common, maxConcurrentActivityTaskExecutions: 4 };
  }
}

/** Devices and tokenizers by model, opened when first asked for and closed together. */
function openModels({ resolveModel, cpus, log }: WorkerSettings): Pick<
  Dependencies,
  'device' | 'tokenizer'
> & {
  close: () => Promise<void>;
} {
  const devices = new Map<string, Promise<Device>>();
  const tokenizers = new Map<string, Promise<Tokenizer>>();
  const remember = <T>(map: Map<string, Promise<T>>, key: string, open: () => Promise<T>) => {
    const known = map.get(key);
    if (known) return known;
    const opened = open();
    map.set(key, opened);
    // A model that could not be opened is tried again by the next attempt.
    opened.catch(() => map.delete(key));
    return opened;
  };
  return {
    device: ({ model, device, threads }) =>
      remember(devices, `${model} ${device} ${threads}`, async () =>
        openDevice({
          modelPath: await resolveModel(model),
          device,
          threads,
          cpus,
          log: (line) => log.info(line),
        }),
      ),
    tokenizer: (model) => remember(tokenizers, model, async () => openTokenizer(await resolveModel(model))),
    close: async () => {
      for (const device of devices.values()) await (await device).close();
    },
  };
}

function environment(): Dependencies['environment'] {
  return {
    host: hostname(),
    processor: cpus()[0]?.model ?? 'unknown',
    versions: { node: process.version },
  };
}

let runtimeInstalled = false;

/** Temporal's own log lines go where ours go; the runtime is one per process. */
function installRuntimeLogger(log: Logger): void {
  if (runtimeInstalled) return;
  runtimeInstalled = true;
  Runtime.install({
    logger: new DefaultLogger('WARN', ({ level, message, meta }) =>
      level === 'ERROR' ? log.error(meta ?? {}, message) : log.warn(meta ?? {}, message),
    ),
    shutdownSignals: [],
  });
}
