import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { TypedFailure } from '../../../workflows/contract/failures.ts';

/** A JSON file of a model's folder, checked; null when there is none. Throws `ModelUnavailable` when it is wrong. */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  const text = await readText(path);
  if (text === null) return null;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new TypedFailure('ModelUnavailable', `${path} is not JSON: get the file again`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new TypedFailure('ModelUnavailable', `${path} is not as expected: ${z.prettifyError(parsed.error)}`, {
    cause: parsed.error,
  });
}

/** The text of a file of a model's folder; null when there is none. */
export async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    const reason = (cause as Error).message;
    throw new TypedFailure('ModelUnavailable', `${path} cannot be read: ${reason}`, { cause });
  }
}
