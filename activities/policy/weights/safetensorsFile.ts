import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { dequantise, formats } from './dequantise.ts';
import type { Format } from './dequantise.ts';
import { checkPresent, modelFile, readSpan } from './modelFile.ts';
import { checkEntry, jsonBytes, LENGTH_BYTES, parseSafetensorsHeader } from './safetensorsHeader.ts';

/** GGML's formats that safetensors knows by the same name: plain numbers. */
const dtypes = new Map(
  ['F32', 'F16', 'BF16'].map((dtype): [string, Format] => [
    dtype,
    [...formats.values()].find(({ name }) => name === dtype)!,
  ]),
);

/** A tensor in a safetensors file; `read` gives its numbers as float32. */
export interface StoredTensor {
  name: string;
  shape: number[];
  read: () => Float32Array;
}

/**
 * The tensors of a safetensors file on disk, each read when asked for. Throws `ModelUnavailable` when the file is
 * damaged; one that is truncated or of an unsupported type is named.
 */
export async function openSafetensorsFile(path: string): Promise<Map<string, StoredTensor>> {
  const file = await modelFile(path);
  const refuse = (reason: string, cause?: unknown): never => {
    throw new TypedFailure('ModelUnavailable', `${path} is not a safetensors file: ${reason}`, { cause });
  };
  if (file.fileBytes < LENGTH_BYTES) refuse(`${file.fileBytes} bytes are too few`);
  const headerBytes = jsonBytes(readSpan(file, { offset: 0, bytes: LENGTH_BYTES }));
  if (headerBytes > file.fileBytes - LENGTH_BYTES)
    refuse(`the header says ${headerBytes} bytes, ${file.fileBytes - LENGTH_BYTES} follow`);
  const { entries } = parseSafetensorsHeader(
    readSpan(file, { offset: LENGTH_BYTES, bytes: headerBytes }),
    refuse,
  );
  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of entries) {
    const format = dtypes.get(entry.dtype);
    if (!format)
      throw new TypedFailure(
        'ModelUnavailable',
        `${path}: tensor ${name} has type ${entry.dtype}, which is not supported; ` +
          `supported: ${[...dtypes.keys()].join(', ')}`,
      );
    checkEntry(name, entry, format.bytes, refuse);
    const span = { offset: LENGTH_BYTES + headerBytes + entry.from, bytes: entry.to - entry.from };
    checkPresent(file, name, span);
    tensors.set(name, { name, shape: entry.shape, read: () => dequantise(format, readSpan(file, span)) });
  }
  return tensors;
}
