import { closeSync, openSync, readSync } from 'node:fs';
import { TypedFailure } from '../../../workflows/contract/failures.ts';

const CHUNK_BYTES = 4 << 20;

/** Reads little-endian values one after the other from the start of a file; past its end is `ModelUnavailable`. */
export class ByteReader {
  readonly #file: number;
  readonly #path: string;
  #bytes = Buffer.alloc(0);
  /** Bytes read so far. */
  position = 0;

  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, 'r');
  }

  /** The offset of the next `bytes` bytes in `#bytes`, which holds them on return. */
  #take(bytes: number): number {
    const start = this.position;
    while (start + bytes > this.#bytes.length) {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const read = readSync(this.#file, chunk, 0, CHUNK_BYTES, this.#bytes.length);
      if (read === 0)
        throw new TypedFailure(
          'ModelUnavailable',
          `${this.#path} is truncated: its header goes on after its last byte, ${this.#bytes.length}; ` +
            'get the file again',
        );
      this.#bytes = Buffer.concat([this.#bytes, chunk.subarray(0, read)]);
    }
    this.position = start + bytes;
    return start;
  }

  uint8 = () => this.#bytes.readUInt8(this.#take(1));
  int8 = () => this.#bytes.readInt8(this.#take(1));
  uint16 = () => this.#bytes.readUInt16LE(this.#take(2));
  int16 = () => this.#bytes.readInt16LE(this.#take(2));
  uint32 = () => this.#bytes.readUInt32LE(this.#take(4));
  int32 = () => this.#bytes.readInt32LE(this.#take(4));
  float32 = () => this.#bytes.readFloatLE(this.#take(4));
  float64 = () => this.#bytes.readDoubleLE(this.#take(8));
  uint64 = () => Number(this.#bytes.readBigUInt64LE(this.#take(8)));
  int64 = () => Number(this.#bytes.readBigInt64LE(this.#take(8)));

  text(bytes: number): string {
    const start = this.#take(bytes);
    return this.#bytes.toString('utf8', start, start + bytes);
  }

  close(): void {
    closeSync(this.#file);
  }
}
