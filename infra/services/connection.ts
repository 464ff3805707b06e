import { loadClientConfigProfile, toClientOptions } from '@temporalio/envconfig';
import type { NativeConnectionOptions } from '@temporalio/worker';
import type { StoreConnection } from '../../activities/artifacts/minioStore.ts';
import { namespace as ourNamespace } from '../../workflows/contract/names.ts';
import { InfraProblem } from '../problem.ts';
import { temporalFolder } from '../setup/temporal.ts';
import { bucket } from './minio.ts';
import { loopback } from './ports.ts';
import { isRunning } from './process.ts';
import { defaultInstance, instanceFolder, readCredentials, readState, type ServiceName } from './state.ts';

/** How to reach the services. */
export interface Connection {
  temporal: TemporalConnection;
  store: StoreConnection & {
    /** MinIO's console; null for a store that is not ours. */
    consoleUrl: string | null;
  };
}

export interface TemporalConnection {
  address: string;
  namespace: string;
  /** null for a server that is not ours. */
  uiUrl: string | null;
  /** What a server that is not ours may ask for besides. */
  options: Pick<NativeConnectionOptions, 'tls' | 'apiKey' | 'metadata'>;
}

/**
 * Temporal: what the Temporal CLI would use (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, its TOML file, …) when that
 * names an address; object store: `REITERATE_S3_ENDPOINT`, `…_ACCESS_KEY`, `…_SECRET_KEY`, `…_BUCKET`. Each else
 * the local service. An `InfraProblem` when there is neither.
 */
export async function connection(instance = defaultInstance): Promise<Connection> {
  return { temporal: await temporalConnection(instance), store: await storeConnection(instance) };
}

/** Temporal alone, for what needs no store. */
export async function temporalConnection(instance = defaultInstance): Promise<TemporalConnection> {
  const given = givenTemporal();
  if (given === null) return localTemporal(instance);
  // After `eval "$(reiterate env)"` the one given is ours, and its UI is known.
  const local = await localTemporal(instance).catch((error: unknown) => {
    if (error instanceof InfraProblem) return null;
    throw error;
  });
  return local?.address === given.address ? { ...given, uiUrl: local.uiUrl } : given;
}

/** The object store alone: the record can be read without Temporal. */
export async function storeConnection(instance = defaultInstance): Promise<Connection['store']> {
  return givenStore() ?? (await localStore(instance));
}

/** The local services, whatever the environment says. */
export async function localConnection(instance: string): Promise<Connection> {
  return { temporal: await localTemporal(instance), store: await localStore(instance) };
}

/** The variables with which `connection()` of another process gives this connection. */
export function environmentOf({ temporal, store }: Connection): Record<string, string> {
  return {
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
    REITERATE_S3_ENDPOINT: endpointUrl(store),
    REITERATE_S3_ACCESS_KEY: store.accessKey,
    REITERATE_S3_SECRET_KEY: store.secretKey,
    REITERATE_S3_BUCKET: store.bucket,
  };
}

/** Lines for `eval`: they point the Temporal CLI, the AWS CLI and MinIO's `mc` at these services. */
export function shellLines({ temporal, store }: Connection): string[] {
  const url = new URL(endpointUrl(store));
  url.username = encodeURIComponent(store.accessKey);
  url.password = encodeURIComponent(store.secretKey);
  const variables = {
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
    AWS_ACCESS_KEY_ID: store.accessKey,
    AWS_SECRET_ACCESS_KEY: store.secretKey,
    AWS_ENDPOINT_URL: endpointUrl(store),
    AWS_REGION: 'us-east-1',
    MC_HOST_reiterate: url.href.replace(/\/$/, ''),
  };
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${quoted(value)}`);
  const folder = temporalFolder();
  if (folder !== null) lines.push(`export PATH="$PATH":${quoted(folder)}`);
  if (temporal.uiUrl !== null) lines.push(`# Temporal UI: ${temporal.uiUrl}`);
  if (store.consoleUrl !== null) lines.push(`# MinIO console: ${store.consoleUrl}`);
  return lines;
}

function givenTemporal(): TemporalConnection | null {
  let given;
  try {
    given = toClientOptions(loadClientConfigProfile());
  } catch (error) {
    throw new InfraProblem(
      `The configuration of the Temporal CLI cannot be read: ${(error as Error).message}`,
    );
  }
  const { address, tls, apiKey, metadata } = given.connectionOptions;
  if (address === undefined) return null;
  return {
    address,
    namespace: given.namespace ?? ourNamespace,
    uiUrl: null,
    options: {
      ...(tls === undefined ? {} : { tls }),
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(metadata === undefined ? {} : { metadata }),
    },
  };
}

function givenStore(): Connection['store'] | null {
  const endpoint = process.env['REITERATE_S3_ENDPOINT'];
  if (endpoint === undefined || endpoint === '') return null;
  const required = (name: string): string => {
    const value = process.env[name];
    if (value === undefined || value === '')
      throw new InfraProblem(`REITERATE_S3_ENDPOINT is set but ${name} is not; set both or neither.`);
    return value;
  };
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw new InfraProblem(`REITERATE_S3_ENDPOINT is "${endpoint}"; write it as http://host:port.`);
  const useSSL = url.protocol === 'https:';
  return {
    endPoint: url.hostname,
    port: url.port === '' ? (useSSL ? 443 : 80) : Number(url.port),
    useSSL,
    accessKey: required('REITERATE_S3_ACCESS_KEY'),
    secretKey: required('REITERATE_S3_SECRET_KEY'),
    bucket: process.env['REITERATE_S3_BUCKET'] || bucket,
    consoleUrl: null,
  };
}

async function localTemporal(instance: string): Promise<TemporalConnection> {
  const ports = await runningPorts(instance, 'temporal', 'Temporal', 'TEMPORAL_ADDRESS');
  return {
    address: `${loopback}:${ports.api}`,
    namespace: ourNamespace,
    uiUrl: `http://${loopback}:${ports.web}`,
    options: {},
  };
}

async function localStore(instance: string): Promise<Connection['store']> {
  const ports = await runningPorts(instance, 'minio', 'MinIO', 'REITERATE_S3_ENDPOINT');
  const credentials = readCredentials(instanceFolder(instance));
  if (credentials === null)
    throw new InfraProblem('The credentials of MinIO are gone; run `reiterate down`, then `reiterate up`.');
  const consoleUrl = `http://${loopback}:${ports.web}`;
  return { endPoint: loopback, port: ports.api, useSSL: false, ...credentials, bucket, consoleUrl };
}

async function runningPorts(instance: string, name: ServiceName, title: string, variable: string) {
  const record = readState(instanceFolder(instance))[name];
  if (!record?.process || !(await isRunning(record.process)))
    throw new InfraProblem(
      `The local ${title} is not running: run \`reiterate up\`, or set ${variable} to your own.`,
    );
  return record.ports;
}

function endpointUrl({ useSSL, endPoint, port }: StoreConnection): string {
  return `http${useSSL ? 's' : ''}://${endPoint}:${port}`;
}

/** As one shell word. */
function quoted(value: string): string {
  return /^[\w./:@%-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
