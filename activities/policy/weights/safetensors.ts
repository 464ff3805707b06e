import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { checkEntry, jsonBytes, LENGTH_BYTES, parseSafetensorsHeader } from './safetensorsHeader.ts';
import type { Tensor } from './types.ts';

/** What a safetensors file holds. */
export interface Safetensors {
  tensors: Map<string, Tensor>;
  metadata: Record<string, string>;
}

/**
 * Tensors as safetensors bytes (F32, little-endian). Names and metadata are sorted and the header is padded to
 * eight bytes, so equal content gives equal bytes.
 */
export function encodeSafetensors({ tensors, metadata }: Safetensors): Uint8Array<ArrayBuffer> {
  const names = [...tensors.keys()].sort();
  const header: Record<string, unknown> = {
    __metadata__: Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
  let dataBytes = 0;
  for (const name of names) {
    const { shape, data } = tensors.get(name)!;
    header[name] = { dtype: 'F32', shape, data_offsets: [dataBytes, dataBytes + data.byteLength] };
    dataBytes += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(LENGTH_BYTES + headerBytes + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.fill(' '.charCodeAt(0), LENGTH_BYTES, LENGTH_BYTES + headerBytes);
  bytes.set(json, LENGTH_BYTES);
  let at = LENGTH_BYTES + headerBytes;
  for (const name of names) {
    const { buffer, byteOffset, byteLength } = tensors.get(name)!.data;
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return bytes;
}

/**
 * Reads safetensors bytes with F32 tensors, which may share the memory of `bytes`. Anything malformed is
 * `ArtifactCorrupt`.
 */
export function decodeSafetensors(bytes: Uint8Array): Safetensors {
  const corrupt = (reason: string, cause?: unknown): never => {
    throw new TypedFailure('ArtifactCorrupt', `not a safetensors file: ${reason}`, { cause });
  };
  if (bytes.length < LENGTH_BYTES) return corrupt(`${bytes.length} bytes are too few`);
  const headerBytes = jsonBytes(bytes);
  const start = LENGTH_BYTES + headerBytes;
  if (start > bytes.length)
    return corrupt(`the header says ${headerBytes} bytes, ${bytes.length - LENGTH_BYTES} follow`);

  const { entries, metadata } = parseSafetensorsHeader(bytes.subarray(LENGTH_BYTES, start), corrupt);
  const tensors = new Map<string, Tensor>();
  for (const [name, entry] of entries) {
    const { dtype, shape, from, to } = entry;
    if (dtype !== 'F32') corrupt(`tensor ${name} has dtype ${dtype}, not F32`);
    checkEntry(name, entry, Float32Array.BYTES_PER_ELEMENT, corrupt);
    if (start + to > bytes.length)
      corrupt(`tensor ${name} ends at byte ${start + to} of a file of ${bytes.length}`);
    tensors.set(name, { shape, data: floatsOf(bytes.subarray(start + from, start + to)) });
  }
  return { tensors, metadata };
}

/** The numbers that bytes stand for: a view where they are aligned, else a copy. */
function floatsOf(bytes: Uint8Array): Float32Array {
  const aligned = bytes.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new Float32Array(
    aligned.buffer,
    aligned.byteOffset,
    aligned.byteLength / Float32Array.BYTES_PER_ELEMENT,
  );
}
