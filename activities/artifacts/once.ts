import { z } from 'zod';
import { TypedFailure } from '../../workflows/contract/failures.ts';
import { Ref, Sha256 } from '../../workflows/contract/ref.ts';
import { hashOf, legibleBytes, parseJson } from './canonical.ts';
import type { Store } from './store.ts';

/** A step's committed record: what it was given, what it returned. */
const StepRecord = z.strictObject({
  schema: z.literal(1),
  inputsHash: Sha256,
  inputs: z.json(),
  result: z.json(),
});

/**
 * At-least-once execution, exactly-once effect (invariant 1): returns the step's committed result when there is
 * one, else does the work and commits what it returned. Of two that work at the same time both return the result
 * of the first to commit.
 *
 * @param key where the step's record is; a function of (runKey, generation, step, shard).
 * @param inputs what the result depends on, as plain JSON.
 * @param schema of the result; reads a committed one back.
 * @param work does the step. Everything it names by Ref must be in the store when it returns.
 * @throws `ArtifactConflict` when the step was committed from other inputs; `ArtifactMissing` or `ArtifactCorrupt`
 * when something the committed result names is not what it was.
 */
export async function once<T>(
  store: Store,
  key: string,
  inputs: unknown,
  schema: z.ZodType<T>,
  work: () => Promise<T>,
): Promise<T> {
  const inputsHash = hashOf(inputs);
  const committed = await store.find(key);
  if (committed) return accept(committed.bytes);
  const result = await work();
  const record = { schema: 1, inputsHash, inputs, result };
  const { bytes } = await store.putOnce(key, legibleBytes(record), 'application/json');
  return accept(bytes);

  async function accept(bytes: Uint8Array): Promise<T> {
    const record = parseJson(bytes, StepRecord, key);
    if (record.inputsHash !== inputsHash)
      throw new TypedFailure(
        'ArtifactConflict',
        `${key} was committed from other inputs (${record.inputsHash.slice(0, 8)}, now ${inputsHash.slice(0, 8)}). What is committed stays: start what needs other inputs under another name.`,
      );
    const parsed = schema.safeParse(record.result);
    if (!parsed.success)
      throw new TypedFailure(
        'ArtifactCorrupt',
        `${key} holds a result of another shape: ${parsed.error.message}`,
      );
    for (const ref of refsIn(record.result)) await store.read(ref);
    return parsed.data;
  }
}

/** Every Ref inside a JSON value. */
function refsIn(value: unknown): Ref[] {
  if (value === null || typeof value !== 'object') return [];
  const ref = Ref.safeParse(value);
  return ref.success ? [ref.data] : Object.values(value).flatMap(refsIn);
}

/**
 * The committed result of a step, without what it names being read.
 *
 * @throws `ArtifactMissing` when the step was not committed, `ArtifactCorrupt` when its result has another shape.
 */
export async function committedResult<T>(store: Store, key: string, schema: z.ZodType<T>): Promise<T> {
  const committed = await store.find(key);
  if (!committed)
    throw new TypedFailure('ArtifactMissing', `${key} is not there: the step was not committed`);
  return parseJson(committed.bytes, StepRecord.extend({ result: schema }), key).result;
}
