import { readdir } from 'node:fs/promises';
import { after } from 'node:test';
import { homePath } from '../infra/home.ts';
import type { Connection } from '../infra/services/connection.ts';
import { down, up } from '../infra/services/services.ts';
import { isAlive } from './processes.ts';

/** Holds the connection as JSON for test processes and the processes they start. */
const variable = 'REITERATE_TEST_SERVICES';
const instance = `test-${process.pid}`;
const report = (line: string) => console.error(`# ${line}`);

/**
 * Temporal and MinIO for tests, with data of their own: those that `npm test` started, else, when a test file
 * runs alone, started now and removed after its tests.
 */
export async function testServices(): Promise<Connection> {
  const given = process.env[variable];
  if (given !== undefined) return JSON.parse(given) as Connection;
  after(stopTestServices);
  return startTestServices();
}

/** Starts them for this process and every process it starts. */
export async function startTestServices(): Promise<Connection> {
  await removeAbandoned();
  const { connection } = await up({ instance, report });
  process.env[variable] = JSON.stringify(connection);
  return connection;
}

/** Stops what `startTestServices` of this process started, and removes its data. */
export async function stopTestServices(): Promise<void> {
  delete process.env[variable];
  await down({ instance, report, erase: true });
}

/** Services of test runs that were killed. */
async function removeAbandoned(): Promise<void> {
  const names = await readdir(homePath('services')).catch(() => []);
  for (const name of names) {
    const pid = /^test-(\d+)$/.exec(name)?.[1];
    // One with our own number was somebody else's.
    const abandoned = pid !== undefined && (Number(pid) === process.pid || !isAlive(Number(pid)));
    if (abandoned) await down({ instance: name, report, erase: true });
  }
}
