import { randomUUID } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes on their way between two processes: in a file, which the receiver removes. */
interface ByteFile {
  byteFile: string;
}

/** Less goes through the pipe, which copies bytes four times, 64 KiB at a time. */
const leastBytes = 1024 * 1024;

/** A message with its large byte strings, itself or among its properties, put into files of `folder`. */
export function toFiles(message: unknown, folder: string): Promise<unknown> {
  return mapParts(message, async (part) => {
    if (!(part instanceof Uint8Array) || part.length < leastBytes) return part;
    const byteFile = join(folder, randomUUID());
    await writeFile(byteFile, part);
    return { byteFile } satisfies ByteFile;
  });
}

/** The message that `toFiles` was given. */
export function fromFiles(message: unknown): Promise<unknown> {
  return mapParts(message, async (part) => {
    if (!isByteFile(part)) return part;
    const bytes = await readFile(part.byteFile);
    await rm(part.byteFile);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  });
}

async function mapParts(message: unknown, change: (part: unknown) => Promise<unknown>): Promise<unknown> {
  const whole = await change(message);
  if (whole !== message || !isPlain(whole)) return whole;
  const entries = Object.entries(whole).map(async ([key, part]) => [key, await change(part)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

function isByteFile(value: unknown): value is ByteFile {
  return isPlain(value) && typeof value['byteFile'] === 'string';
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype;
}
