import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { homePath } from '../home.ts';
import { InfraProblem } from '../problem.ts';

export const serviceNames = ['temporal', 'minio'] as const;
export type ServiceName = (typeof serviceNames)[number];

/** The instance that the commands use; tests have their own beside it. */
export const defaultInstance = 'default';

const Port = z.int().min(1).max(65535);
const ServiceRecord = z.strictObject({
  /** null: stopped by us. */
  process: z.strictObject({ pid: z.int().positive(), started: z.string() }).nullable(),
  /** Kept while stopped, so that addresses stay the same as long as nobody takes the ports. */
  ports: z.strictObject({ api: Port, web: Port }),
});
export type ServiceRecord = z.infer<typeof ServiceRecord>;

const State = z.strictObject({ temporal: ServiceRecord.optional(), minio: ServiceRecord.optional() });
export type State = z.infer<typeof State>;

const Credentials = z.strictObject({ accessKey: z.string().min(3), secretKey: z.string().min(8) });
export type Credentials = z.infer<typeof Credentials>;

/** Data, logs, state and credentials of one instance: `services/<instance>/`, for the owner's eyes only. */
export function instanceFolder(instance: string): string {
  if (!/^[a-z0-9-]+$/.test(instance))
    throw new InfraProblem(`"${instance}" is no name for services; use a-z, 0-9 and "-".`);
  return homePath('services', instance);
}

export function logFile(folder: string, service: ServiceName): string {
  return join(folder, `${service}.log`);
}

/** What was started where; empty before the first start. */
export function readState(folder: string): State {
  const file = join(folder, 'state.json');
  const remedy =
    'end the processes `temporal` and `minio` that use that folder, delete the file and start again';
  return readJson(file, State, remedy) ?? {};
}

export function writeState(folder: string, state: State): void {
  writeJson(join(folder, 'state.json'), state);
}

export function credentialsFile(folder: string): string {
  return join(folder, 'credentials.json');
}

/** Root credentials of the local MinIO, or null before the first start. */
export function readCredentials(folder: string): Credentials | null {
  const remedy = 'run `reiterate down`, delete the file and run `reiterate up`, which makes new ones';
  return readJson(credentialsFile(folder), Credentials, remedy);
}

/** The credentials, made at random when there are none. */
export function makeCredentials(folder: string): Credentials {
  const known = readCredentials(folder);
  if (known !== null) {
    chmodSync(credentialsFile(folder), 0o600); // A copy from elsewhere may be open to others.
    return known;
  }
  const made = {
    accessKey: `reiterate-${randomBytes(4).toString('hex')}`,
    secretKey: randomBytes(24).toString('hex'),
  };
  writeJson(credentialsFile(folder), made);
  return made;
}

function readJson<T>(file: string, schema: z.ZodType<T>, remedy: string): T | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new InfraProblem(`${file} cannot be read: ${(error as Error).message}`);
  }
  const parsed = schema.safeParse(parseJson(text));
  if (!parsed.success) throw new InfraProblem(`${file} is damaged; ${remedy}.`);
  return parsed.data;
}

/** undefined, which no schema here accepts, for what is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Written whole or not at all, readable by the owner only. */
function writeJson(file: string, value: unknown): void {
  mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, file);
}
