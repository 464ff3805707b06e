import { stat } from 'node:fs/promises';
import { gguf } from '@huggingface/gguf';
import { TypedFailure } from '../../../workflows/contract/failures.ts';

/** Where a tensor lies in the file; `shape` is row-major, slowest dimension first. */
export interface GgufTensor {
  name: string;
  shape: number[];
  /** GGML's number for the element type. */
  type: number;
  /** Byte offset from the start of the file. */
  offset: number;
}

/** What a GGUF file says before its tensor data. The accessors throw `ModelUnavailable` on a missing key. */
export interface GgufHeader {
  path: string;
  fileBytes: number;
  /** Changes when the file is replaced. */
  modifiedMs: number;
  tensors: GgufTensor[];
  has(key: string): boolean;
  number(key: string): number;
  text(key: string): string;
  texts(key: string): string[];
  numbers(key: string): number[];
}

/** Reads the header of a GGUF file. Throws `ModelUnavailable` when it is missing or is no GGUF file. */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  const file = await stat(path).catch((cause: unknown) => {
    throw new TypedFailure('ModelUnavailable', `no model file at ${path}: check the path`, { cause });
  });
  if (!file.isFile()) throw new TypedFailure('ModelUnavailable', `${path} is not a file`);
  const parsed = await gguf(path, { allowLocalFile: true }).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TypedFailure('ModelUnavailable', `${path} is not a complete GGUF file: ${reason}`, { cause });
  });
  const metadata = parsed.metadata as Record<string, unknown>;

  function read<T>(key: string, kind: string, matches: (value: unknown) => value is T): T {
    const value = typeof metadata[key] === 'bigint' ? Number(metadata[key]) : metadata[key];
    if (matches(value)) return value;
    throw new TypedFailure(
      'ModelUnavailable',
      `${path}: metadata ${key} ${value === undefined ? 'is missing' : `is not ${kind}`}`,
    );
  }
  const isNumber = (value: unknown) => typeof value === 'number';
  const isText = (value: unknown) => typeof value === 'string';

  return {
    path,
    fileBytes: file.size,
    modifiedMs: file.mtimeMs,
    tensors: parsed.tensorInfos.map((info) => ({
      name: info.name,
      shape: info.shape.map(Number).reverse(),
      type: info.dtype,
      offset: Number(parsed.tensorDataOffset + info.offset),
    })),
    has: (key) => metadata[key] !== undefined,
    number: (key) => read(key, 'a number', isNumber),
    text: (key) => read(key, 'a text', isText),
    texts: (key) =>
      read(key, 'a list of texts', (value): value is string[] => Array.isArray(value) && value.every(isText)),
    numbers: (key) =>
      read(
        key,
        'a list of numbers',
        (value): value is number[] => Array.isArray(value) && value.every(isNumber),
      ),
  };
}
