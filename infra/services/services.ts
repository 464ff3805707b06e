import { rm } from 'node:fs/promises';
import { withLock } from '../lock.mjs';
import type { Report } from '../problem.ts';
import { together } from '../together.ts';
import { localConnection, type Connection } from './connection.ts';
import { keepOrStart, statusOf, stop, type ServiceStatus } from './lifecycle.ts';
import { minioService } from './minio.ts';
import type { Service } from './service.ts';
import { defaultInstance, instanceFolder, makeCredentials, readState } from './state.ts';
import { temporalService } from './temporal.ts';

export type { ServiceStatus };

const services: readonly Service[] = [temporalService, minioService];

/** Longest wait for another `up` or `down`, which may include a whole set-up. */
const lockMs = 20 * 60_000;

export interface ServicesOptions {
  /** A set of services of its own, with its own data, ports and credentials. */
  instance?: string;
  report: Report;
}

export interface ServicesState {
  instance: string;
  /** Holds data, logs and credentials. */
  folder: string;
  connection: Connection;
  services: ServiceStatus[];
}

/**
 * Sets up and starts what is not running yet, and returns when everything answers and has what runs need. What
 * runs already stays. Data, addresses and credentials are kept from start to start.
 */
export async function up({ instance = defaultInstance, report }: ServicesOptions): Promise<ServicesState> {
  const folder = instanceFolder(instance);
  return locked(folder, report, async () => {
    const credentials = makeCredentials(folder);
    const state = readState(folder);
    const start = async (service: Service) => {
      const file = await service.ensure(report);
      await keepOrStart(service, {
        file,
        folder,
        state,
        credentials,
        freshPorts: instance !== defaultInstance,
        report,
      });
    };
    await together(services.map(start));
    return {
      instance,
      folder,
      connection: await localConnection(instance),
      services: await status({ instance }),
    };
  });
}

/** Stops what runs: politely first, then by force. `erase` also removes data, logs and credentials. */
export async function down(options: ServicesOptions & { erase?: boolean }): Promise<void> {
  const { instance = defaultInstance, report, erase = false } = options;
  const folder = instanceFolder(instance);
  await locked(folder, report, async () => {
    const state = readState(folder);
    await together(services.map((service) => stop(service, folder, state, report)));
    if (erase) await rm(folder, { recursive: true, force: true });
  });
}

/** How each service is, in a fixed order. */
export async function status({ instance = defaultInstance }: { instance?: string } = {}): Promise<
  ServiceStatus[]
> {
  return Promise.all(services.map((service) => statusOf(service, instanceFolder(instance))));
}

/** The lock lies beside the folder, so that nobody takes it while the folder is removed. */
async function locked<T>(folder: string, report: Report, work: () => Promise<T>): Promise<T> {
  const onWait = (owner: string) => report(`${owner} is starting or stopping these services; waiting`);
  return withLock(`${folder}.lock`, { deadlineMs: lockMs, onWait }, work);
}
