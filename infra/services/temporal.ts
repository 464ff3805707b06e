import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { namespace, searchAttributes } from '../../workflows/contract/names.ts';
import { InfraProblem } from '../problem.ts';
import { ensureTemporal } from '../setup/temporal.ts';
import { loopback } from './ports.ts';
import type { Ports, Service } from './service.ts';

const retentionDays = 90;

export const temporalService: Service = {
  name: 'temporal',
  title: 'Temporal',
  usualPorts: { api: 7233, web: 8233 },
  stopGraceMs: 15_000,
  ensure: ensureTemporal,

  async command(file, folder, ports) {
    const data = join(folder, 'temporal');
    await mkdir(data, { recursive: true });
    // Priority and fairness of tasks hold only within one partition of a task queue.
    const dynamicConfig = [
      'matching.numTaskqueueReadPartitions=1',
      'matching.numTaskqueueWritePartitions=1',
      'matching.enableFairness=true',
    ].flatMap((setting) => ['--dynamic-config-value', setting]);
    const addresses = [
      '--ip',
      loopback,
      '--ui-ip',
      loopback,
      '--port',
      `${ports.api}`,
      '--ui-port',
      `${ports.web}`,
    ];
    const logging = ['--log-level', 'warn', '--log-format', 'json'];
    const keep = ['--db-filename', join(data, 'temporal.db'), '--namespace', namespace];
    return {
      file,
      args: ['server', 'start-dev', ...keep, ...addresses, ...logging, ...dynamicConfig],
      env: {},
    };
  },

  async prepare(ports) {
    await connected(ports, async (connection) => {
      await connection.workflowService.describeNamespace({ namespace });
      // start-dev makes namespaces that forget a finished run after a day.
      await connection.workflowService.updateNamespace({
        namespace,
        config: { workflowExecutionRetentionTtl: msToTs(`${retentionDays} days`) },
      });
      await registerSearchAttributes(connection);
    });
  },

  async check(ports) {
    await connected(ports, async (connection) => {
      await connection.workflowService.describeNamespace({ namespace });
    });
  },
};

async function connected<T>(ports: Ports, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: `${loopback}:${ports.api}`, connectTimeout: '5s' });
  try {
    return await connection.withDeadline(Date.now() + 20_000, () => work(connection));
  } finally {
    await connection.close();
  }
}

/** Values of `temporal.api.enums.v1.IndexedValueType`. */
const indexedValueTypes = { KEYWORD: 2, INT: 3, DOUBLE: 4 } as const;

/** A run that sets an attribute nobody registered hangs, also on a database from an older version of ours. */
async function registerSearchAttributes({ operatorService }: Connection): Promise<void> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  const missing: Record<string, number> = {};
  for (const [name, type] of Object.entries(searchAttributes)) {
    const registered = customAttributes[name];
    if (registered === undefined) missing[name] = indexedValueTypes[type];
    else if (registered !== indexedValueTypes[type])
      throw new InfraProblem(
        `Search attribute ${name} is registered with another type than ${type}; remove it with ` +
          `\`temporal operator search-attribute remove --name ${name}\` and start again.`,
      );
  }
  if (Object.keys(missing).length > 0)
    await operatorService.addSearchAttributes({ namespace, searchAttributes: missing });
}
