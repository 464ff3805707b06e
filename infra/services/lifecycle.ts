import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { InfraProblem, type Report } from '../problem.ts';
import { freePort, loopback } from './ports.ts';
import { isRunning, startDetached, stopProcess, type ProcessId } from './process.ts';
import type { Ports, Service } from './service.ts';
import {
  logFile,
  readCredentials,
  readState,
  writeState,
  type Credentials,
  type ServiceName,
  type State,
} from './state.ts';

/** Longest time from the start of a service to its first good answer. */
const startMs = 90_000;
/** Longest time for a service that runs already to answer. */
const answerMs = 20_000;
/** Starts tried when somebody takes the port between our choice and the service's own bind. */
const portAttempts = 3;

export interface ServiceStatus {
  name: ServiceName;
  /**
   * running: it answers · silent: alive, but does not answer as it should · died: it ended without `down` ·
   * stopped: by `down`, or never started.
   */
  state: 'running' | 'silent' | 'died' | 'stopped';
  /** What is wrong and what to do; null when nothing is. */
  detail: string | null;
  /** `host:port` of its API and the page for a browser; null when never started. */
  address: string | null;
  webUrl: string | null;
  pid: number | null;
  log: string;
}

export interface StartOptions {
  /** The program. */
  file: string;
  folder: string;
  /** Kept up to date, here and on disk. */
  state: State;
  credentials: Credentials;
  /** Leave the usual ports to others. */
  freshPorts: boolean;
  report: Report;
}

/** Keeps a service that is healthy; starts, or stops and starts, any other; returns when it is ready for runs. */
export async function keepOrStart(service: Service, options: StartOptions): Promise<void> {
  const { folder, state, credentials, report } = options;
  const record = state[service.name];
  if (record?.process && (await isRunning(record.process))) {
    try {
      await becomesReady(service, record.process, record.ports, credentials, answerMs);
      report(`${service.title}: running at ${loopback}:${record.ports.api}`);
      return;
    } catch (error) {
      if (error instanceof InfraProblem && !(error instanceof Unready)) throw error;
      report(`${service.title}: ${messageOf(error)}; starting it again`);
      await stop(service, folder, state, report);
    }
  }
  await start(service, options);
}

async function start(service: Service, options: StartOptions): Promise<void> {
  const { file, folder, state, credentials, report } = options;
  const log = logFile(folder, service.name);
  for (let attempt = 1; ; attempt++) {
    const ports = await choosePorts(service, state, options.freshPorts, report);
    const process = await startDetached(await service.command(file, folder, ports, credentials), log);
    state[service.name] = { process, ports };
    writeState(folder, state);
    try {
      await becomesReady(service, process, ports, credentials, startMs);
      report(`${service.title}: running at ${loopback}:${ports.api}, log in ${log}`);
      return;
    } catch (error) {
      await stopProcess(process, service.stopGraceMs);
      state[service.name] = { process: null, ports };
      writeState(folder, state);
      const end = await endOf(log);
      if (attempt < portAttempts && /address already in use|port is already|specified port/i.test(end))
        continue;
      throw new InfraProblem(
        `${service.title} did not start: ${messageOf(error)}. Its log ${log} ends: ${end}`,
      );
    }
  }
}

/** Alive, or just ended, but not ready in time: starting it again may help. */
class Unready extends InfraProblem {}

async function becomesReady(
  service: Service,
  process: ProcessId,
  ports: Ports,
  credentials: Credentials,
  withinMs: number,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      return await service.prepare(ports, credentials);
    } catch (error) {
      if (error instanceof InfraProblem) throw error;
      if (!(await isRunning(process))) throw new Unready('it ended');
      if (Date.now() > deadline)
        throw new Unready(`it did not answer as it should within ${withinMs / 1000} s (${messageOf(error)})`);
    }
    await sleep(200);
  }
}

/** The ports it had before, else the usual ones, each as far as it is free. */
async function choosePorts(service: Service, state: State, fresh: boolean, report: Report): Promise<Ports> {
  const before = state[service.name]?.ports;
  const choose = async (which: keyof Ports, promised?: number): Promise<number> => {
    const usual = service.usualPorts[which];
    const preferred = [...(before === undefined ? [] : [before[which]]), ...(fresh ? [] : [usual])];
    const port = await freePort(preferred, promised);
    if (!preferred.includes(port) && preferred.length > 0)
      report(`${service.title}: port ${preferred.join(' and ')} taken by another program, using ${port}`);
    return port;
  };
  const api = await choose('api');
  return { api, web: await choose('web', api) };
}

/** Stops a service if it runs, and remembers that it was stopped on purpose. */
export async function stop(service: Service, folder: string, state: State, report: Report): Promise<void> {
  const record = state[service.name];
  if (!record?.process) return report(`${service.title}: was not running`);
  const how = await stopProcess(record.process, service.stopGraceMs);
  state[service.name] = { ...record, process: null };
  writeState(folder, state);
  report(`${service.title}: ${how === 'gone' ? 'had ended before' : how}`);
}

export async function statusOf(service: Service, folder: string): Promise<ServiceStatus> {
  const record = readState(folder)[service.name];
  const log = logFile(folder, service.name);
  if (record === undefined)
    return {
      name: service.name,
      state: 'stopped',
      detail: null,
      address: null,
      webUrl: null,
      pid: null,
      log,
    };
  const { ports, process } = record;
  const known = {
    name: service.name,
    address: `${loopback}:${ports.api}`,
    webUrl: `http://${loopback}:${ports.web}`,
    pid: process?.pid ?? null,
    log,
  };
  if (process === null) return { ...known, state: 'stopped', detail: null };
  if (!(await isRunning(process))) {
    const detail = `process ${process.pid} ended without \`reiterate down\`; see its log, then run \`reiterate up\``;
    return { ...known, state: 'died', detail, pid: null };
  }
  try {
    const credentials = readCredentials(folder);
    if (credentials === null)
      throw new InfraProblem('its credentials file is gone; run `reiterate down`, then `up`');
    await service.check(ports, credentials);
    return { ...known, state: 'running', detail: null };
  } catch (error) {
    return { ...known, state: 'silent', detail: messageOf(error) };
  }
}

async function endOf(log: string): Promise<string> {
  const lines = (await readFile(log, 'utf8').catch(() => '')).trimEnd().split('\n');
  return lines.slice(-5).join(' | ').slice(-1500);
}

/** Connection errors hide their reason in the cause. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message ? error.cause.message : error.message;
}
