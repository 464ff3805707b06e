import type { Report } from '../problem.ts';
import type { Command } from './process.ts';
import type { Credentials, ServiceName, ServiceRecord } from './state.ts';

export type Ports = ServiceRecord['ports'];

/** What one local service needs to be started and looked after; see `temporal.ts` and `minio.ts`. */
export interface Service {
  name: ServiceName;
  /** For a person. */
  title: string;
  /** Where users expect it. */
  usualPorts: Ports;
  /** How long it may take to stop before it is killed. */
  stopGraceMs: number;
  /** Sets the program up when needed. */
  ensure: (report: Report) => Promise<string>;
  /** How to start `file` with its data under `folder`. */
  command: (file: string, folder: string, ports: Ports, credentials: Credentials) => Promise<Command>;
  /**
   * Makes sure it answers and has what runs need (namespace, search attributes, bucket). Throws when it does not
   * answer yet; an `InfraProblem` when waiting does not help.
   */
  prepare: (ports: Ports, credentials: Credentials) => Promise<void>;
  /** Throws when it does not answer; changes nothing. */
  check: (ports: Ports, credentials: Credentials) => Promise<void>;
}
