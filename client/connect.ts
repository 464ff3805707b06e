import { connectStore } from '../activities/artifacts/minioStore.ts';
import type { Store } from '../activities/artifacts/store.ts';
import { InfraProblem } from '../infra/problem.ts';
import { storeConnection, temporalConnection } from '../infra/services/connection.ts';
import { CommandFailure, exitCodes } from './exit.ts';
import { connectTemporal, type Temporal } from './temporal.ts';
import { note } from './terminal.ts';

/** The object store, checked: fails at once when it does not answer or refuses us. */
export async function openStore(): Promise<Store> {
  const store = connectStore(await storeConnection());
  await store.check();
  return store;
}

/** Works with Temporal and closes the connection. */
export async function withTemporal<T>(work: (temporal: Temporal) => Promise<T>): Promise<T> {
  const temporal = await connectTemporal(await temporalConnection());
  try {
    return await work(temporal);
  } finally {
    await temporal.close();
  }
}

/** The same for commands that the record alone can answer: null, and a note, when Temporal does not answer. */
export async function withTemporalIfThere<T>(work: (temporal: Temporal | null) => Promise<T>): Promise<T> {
  let temporal: Temporal | null = null;
  try {
    temporal = await connectTemporal(await temporalConnection());
  } catch (error) {
    const away = error instanceof CommandFailure && error.code === exitCodes.unreachable;
    if (!away && !(error instanceof InfraProblem)) throw error;
    note(`${error.message} What follows is the record alone.`);
  }
  try {
    return await work(temporal);
  } finally {
    await temporal?.close();
  }
}
