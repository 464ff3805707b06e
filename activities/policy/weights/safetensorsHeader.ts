import { z } from 'zod';

/** Bytes before the JSON: its length, little-endian. */
export const LENGTH_BYTES = 8;

const size = z.int().nonnegative();
const Header = z
  .looseObject({ __metadata__: z.record(z.string(), z.string()).optional() })
  .catchall(z.strictObject({ dtype: z.string(), shape: z.array(size), data_offsets: z.tuple([size, size]) }));

/** A tensor as the header lists it; `from` and `to` are bytes after the header. */
export interface SafetensorsEntry {
  dtype: string;
  shape: number[];
  from: number;
  to: number;
}

/** The number of JSON bytes that the first `LENGTH_BYTES` announce. */
export const jsonBytes = (start: Uint8Array): number =>
  Number(new DataView(start.buffer, start.byteOffset, LENGTH_BYTES).getBigUint64(0, true));

/** Parses the JSON of a safetensors header; `refuse` throws the error of whoever reads. */
export function parseSafetensorsHeader(
  json: Uint8Array,
  refuse: (reason: string, cause?: unknown) => never,
): { entries: Map<string, SafetensorsEntry>; metadata: Record<string, string> } {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch (cause) {
    return refuse('the header is not JSON', cause);
  }
  const parsed = Header.safeParse(value);
  if (!parsed.success) return refuse(`the header is wrong: ${z.prettifyError(parsed.error)}`, parsed.error);
  const { __metadata__: metadata = {}, ...entries } = parsed.data;
  return {
    entries: new Map(
      Object.entries(entries).map(
        ([
          name,
          {
            dtype,
            shape,
            data_offsets: [from, to],
          },
        ]) => [name, { dtype, shape, from, to }],
      ),
    ),
    metadata,
  };
}

/** Checks a tensor against the size of its elements. */
export function checkEntry(
  name: string,
  { shape, from, to }: SafetensorsEntry,
  elementBytes: number,
  refuse: (reason: string) => never,
): void {
  const expected = shape.reduce((product, length) => product * length, elementBytes);
  if (to - from !== expected)
    refuse(`tensor ${name} [${shape}] needs ${expected} bytes, ${to - from} are given`);
}
