import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { z } from 'zod';
import { TypedFailure } from '../../workflows/contract/failures.ts';

/** Lower-case hexadecimal SHA-256 of bytes or of a text's UTF-8. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * The one JSON text of a value (RFC 8785): sorted keys, shortest numbers, no white space.
 *
 * @throws `ArtifactInvalid` with the path when JSON would not keep a value as it is: NaN and infinite numbers,
 * `undefined` in an array, typed arrays, maps, dates, functions, bigints.
 */
export function canonicalJson(value: unknown): string {
  assertJson(value, '$');
  return canonicalize(value) as string;
}

/** SHA-256 of the canonical JSON. */
export function hashOf(value: unknown): string {
  return sha256(canonicalJson(value));
}

/** The canonical JSON as bytes: same value, same bytes. For machines: state, plans, curricula. */
export function canonicalBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(canonicalJson(value));
}

/** Sorted keys, two spaces: same value, same bytes, and pleasant to read. For manifests, summaries, step records. */
export function legibleBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(JSON.parse(canonicalJson(value)), null, 2)}\n`);
}

/**
 * Reads JSON bytes as what `schema` says.
 *
 * @param key where the bytes came from, for the message.
 * @throws `ArtifactCorrupt` when they are not JSON or not of that shape.
 */
export function parseJson<T>(bytes: Uint8Array, schema: z.ZodType<T>, key: string): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new TypedFailure('ArtifactCorrupt', `${key} is not JSON: ${(cause as Error).message}`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new TypedFailure('ArtifactCorrupt', `${key} has an unknown shape: ${problems.join('; ')}`);
}

function assertJson(value: unknown, path: string): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return;
    case 'number':
      if (!Number.isFinite(value)) throw notJson(path, String(value));
      return;
    case 'object':
      if (value === null) return;
      if (Array.isArray(value)) {
        value.forEach((element, index) => assertJson(element, `${path}[${index}]`));
        return;
      }
      if (![Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null))
        throw notJson(path, `a ${value.constructor.name}`);
      for (const [name, member] of Object.entries(value)) {
        // An absent optional member; JSON leaves it out as well.
        if (member !== undefined) assertJson(member, `${path}.${name}`);
      }
      return;
    case 'undefined':
    case 'bigint':
    case 'symbol':
    case 'function':
      throw notJson(path, typeof value);
  }
}

function notJson(path: string, found: string): TypedFailure {
  return new TypedFailure(
    'ArtifactInvalid',
    `${path} is ${found}, which JSON cannot keep; nothing was written.`,
  );
}
