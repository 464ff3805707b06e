import { createHash } from 'node:crypto';
import { closeSync, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { TypedFailure } from '../../../workflows/contract/failures.ts';

/** A file of a model as it was when it was opened. */
export interface ModelFile {
  path: string;
  fileBytes: number;
  /** Changes when the file is replaced. */
  modifiedMs: number;
}

/** Looks at a file. Throws `ModelUnavailable` when there is none. */
export async function modelFile(path: string): Promise<ModelFile> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new TypedFailure('ModelUnavailable', `no model file at ${path}: check the path`, { cause });
  });
  if (!found.isFile()) throw new TypedFailure('ModelUnavailable', `${path} is not a file`);
  return { path, fileBytes: found.size, modifiedMs: found.mtimeMs };
}

/** Where the data of a tensor lie: its first byte counted from the start of the file, and how many they are. */
export interface Span {
  offset: number;
  bytes: number;
}

/** Throws `ModelUnavailable` when the file ends before the tensor does. */
export function checkPresent({ path, fileBytes }: ModelFile, name: string, { offset, bytes }: Span): void {
  const present = Math.max(0, Math.min(bytes, fileBytes - offset));
  if (present < bytes)
    throw new TypedFailure(
      'ModelUnavailable',
      `${path} is truncated: tensor ${name} needs ${bytes} bytes, ${present} are there; get the file again`,
    );
}

/** The bytes of one tensor; refuses a file that is not the one whose hash was taken. */
export function readSpan({ path, fileBytes, modifiedMs }: ModelFile, { offset, bytes }: Span): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const { size, mtimeMs } = fstatSync(file);
    const data = new Uint8Array(bytes);
    let done = 0;
    while (done < bytes) {
      const read = readSync(file, data, done, bytes - done, offset + done);
      if (read === 0) break;
      done += read;
    }
    if (size !== fileBytes || mtimeMs !== modifiedMs || done < bytes)
      throw new TypedFailure('ModelUnavailable', `${path} changed while it was in use: start again`);
    return data;
  } finally {
    closeSync(file);
  }
}

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
