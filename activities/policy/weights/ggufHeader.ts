import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { ByteReader } from './byteReader.ts';
import { modelFile, type ModelFile } from './modelFile.ts';

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
export interface GgufHeader extends ModelFile {
  tensors: GgufTensor[];
  has(key: string): boolean;
  number(key: string): number;
  text(key: string): string;
  texts(key: string): string[];
  numbers(key: string): number[];
}

type Value = number | boolean | string | Value[];

/** Readers of GGUF's value types, by their number. */
function valueReaders(reader: ByteReader): Map<number, () => Value> {
  const text = () => reader.text(reader.uint64());
  const readers = new Map<number, () => Value>([
    [0, reader.uint8],
    [1, reader.int8],
    [2, reader.uint16],
    [3, reader.int16],
    [4, reader.uint32],
    [5, reader.int32],
    [6, reader.float32],
    [7, () => reader.uint8() !== 0],
    [8, text],
    [10, reader.uint64],
    [11, reader.int64],
    [12, reader.float64],
  ]);
  readers.set(9, () => {
    const read = readerOf(readers, reader.uint32());
    const values: Value[] = [];
    for (let left = reader.uint64(); left > 0; left--) values.push(read());
    return values;
  });
  return readers;
}

function readerOf(readers: Map<number, () => Value>, type: number): () => Value {
  const read = readers.get(type);
  if (!read) throw new TypedFailure('ModelUnavailable', `the model file is damaged: value type ${type}`);
  return read;
}

/** Metadata and tensor list, as https://github.com/ggml-org/ggml/blob/master/docs/gguf.md lays them out. */
function parse(path: string): { metadata: Map<string, Value>; tensors: GgufTensor[] } {
  const reader = new ByteReader(path);
  try {
    if (reader.text(4) !== 'GGUF')
      throw new TypedFailure('ModelUnavailable', `${path} is not a GGUF file: it does not begin with GGUF`);
    const version = reader.uint32();
    if (version !== 2 && version !== 3)
      throw new TypedFailure('ModelUnavailable', `${path} has GGUF version ${version}; supported: 2 and 3`);
    const tensorCount = reader.uint64();
    const readers = valueReaders(reader);
    const metadata = new Map<string, Value>();
    for (let left = reader.uint64(); left > 0; left--) {
      const key = reader.text(reader.uint64());
      metadata.set(key, readerOf(readers, reader.uint32())());
    }
    const tensors: GgufTensor[] = [];
    for (let left = tensorCount; left > 0; left--) {
      const name = reader.text(reader.uint64());
      const shape: number[] = [];
      for (let dimensions = reader.uint32(); dimensions > 0; dimensions--) shape.unshift(reader.uint64());
      tensors.push({ name, shape, type: reader.uint32(), offset: reader.uint64() });
    }
    const alignment = Number(metadata.get('general.alignment') ?? 32);
    const dataStart = Math.ceil(reader.position / alignment) * alignment;
    for (const tensor of tensors) tensor.offset += dataStart;
    return { metadata, tensors };
  } finally {
    reader.close();
  }
}

/** Reads the header of a GGUF file. Throws `ModelUnavailable` when it is missing, damaged or no GGUF file. */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  const file = await modelFile(path);
  const { metadata, tensors } = parse(path);

  function read<T extends Value>(key: string, kind: string, matches: (value: unknown) => value is T): T {
    const value = metadata.get(key);
    if (matches(value)) return value;
    throw new TypedFailure(
      'ModelUnavailable',
      `${path}: metadata ${key} ${value === undefined ? 'is missing' : `is not ${kind}`}`,
    );
  }
  const isNumber = (value: unknown) => typeof value === 'number';
  const isText = (value: unknown) => typeof value === 'string';
  const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
  const isNumbers = (value: unknown): value is number[] => Array.isArray(value) && value.every(isNumber);

  return {
    ...file,
    tensors,
    has: (key) => metadata.has(key),
    number: (key) => read(key, 'a number', isNumber),
    text: (key) => read(key, 'a text', isText),
    texts: (key) => read(key, 'a list of texts', isTexts),
    numbers: (key) => read(key, 'a list of numbers', isNumbers),
  };
}
