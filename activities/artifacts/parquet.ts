import { parquetMetadata, parquetReadObjects, type SchemaElement } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { TypedFailure } from '../../workflows/contract/failures.ts';
import type {
  DynamicsRow,
  EmbeddingRow,
  EvaluationRow,
  GradedRow,
  GroupRow,
  PointRow,
  RolloutRow,
} from './records.ts';

/**
 * Rows ↔ Parquet. Same rows, same bytes. Token ids and log-probs are real LIST columns, so DuckDB, pandas and
 * friends read these files as they are.
 */

/** Writes rows. @throws `ArtifactInvalid` naming row and column when a value does not fit its column. */
type Encode<Row> = (rows: readonly Row[]) => Uint8Array;
/** Reads rows of the file at `key`. @throws `ArtifactCorrupt` when it has other columns or values. */
type Decode<Row> = (bytes: Uint8Array, key: string) => Promise<Row[]>;

interface Column {
  /** Parquet's schema of one column, in preorder. */
  schema: (name: string) => SchemaElement[];
  /** Whether a value fits without loss. */
  holds: (value: unknown) => boolean;
  /** What fits, for messages. */
  means: string;
  /** Not by a dictionary, where the writer takes -0 for 0. */
  plain?: true;
}
type Columns<Row> = { readonly [Name in keyof Row]-?: Column };

const isString = (value: unknown): boolean => typeof value === 'string' && !/\p{Surrogate}/u.test(value);
const isInt32 = (value: unknown): boolean =>
  Number.isInteger(value) && (value as number) === ((value as number) | 0);

const string: Column = {
  schema: (name) => [{ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' }],
  holds: isString,
  means: 'a well-formed string',
};
const int: Column = {
  schema: (name) => [{ name, type: 'INT32', repetition_type: 'REQUIRED' }],
  holds: isInt32,
  means: 'a 32-bit integer',
};
const double: Column = {
  schema: (name) => [{ name, type: 'DOUBLE', repetition_type: 'REQUIRED' }],
  holds: Number.isFinite,
  means: 'a finite number',
  plain: true,
};
const ints: Column = {
  schema: (name) => list(name, 'INT32'),
  holds: (value) => Array.isArray(value) && value.every(isInt32),
  means: 'a list of 32-bit integers',
};
/** Rounded to float32 when written. */
const floats: Column = {
  schema: (name) => list(name, 'FLOAT'),
  holds: (value) =>
    Array.isArray(value) && value.every((element) => Number.isFinite(Math.fround(element as number))),
  means: 'a list of finite float32 numbers',
  plain: true,
};

function oneOf(...members: string[]): Column {
  return {
    ...string,
    holds: (value) => members.includes(value as string),
    means: `one of ${members.join(', ')}`,
  };
}

function nullable(column: Column): Column {
  return {
    ...column,
    schema: (name) => column.schema(name).map((element) => ({ ...element, repetition_type: 'OPTIONAL' })),
    holds: (value) => value === null || column.holds(value),
    means: `${column.means} or null`,
  };
}

function list(name: string, type: 'INT32' | 'FLOAT'): SchemaElement[] {
  return [
    {
      name,
      repetition_type: 'REQUIRED',
      converted_type: 'LIST',
      logical_type: { type: 'LIST' },
      num_children: 1,
    },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', type, repetition_type: 'REQUIRED' },
  ];
}

const finishReason = oneOf('stop', 'stopString', 'length');

const rolloutColumns: Columns<RolloutRow> = {
  rolloutId: string,
  generation: int,
  ordinal: int,
  rollout: int,
  instanceId: string,
  parentInstanceId: nullable(string),
  parentRolloutId: nullable(string),
  baseTaskId: string,
  family: string,
  gold: string,
  step: oneOf('base', 'improve', 'diverge'),
  source: oneOf('taskSet', 'buffer'),
  turn: int,
  depth: int,
  prompt: string,
  promptIds: ints,
  completion: string,
  completionIds: ints,
  logProbs: floats,
  policyLogProbs: floats,
  finishReason,
  seed: string,
  policy: string,
};

const gradeColumns: Columns<Omit<GradedRow, 'rolloutId'>> = {
  quality: nullable(double),
  verdict: string,
  answer: nullable(string),
  graderVersion: string,
  error: nullable(string),
};

const gradedColumns: Columns<GradedRow> = { rolloutId: string, ...gradeColumns };

const embeddingColumns: Columns<EmbeddingRow> = { rolloutId: string, embedding: floats };

const groupColumns: Columns<GroupRow> = {
  ...rolloutColumns,
  ...gradeColumns,
  reward: double,
  advantage: double,
  diversity: nullable(double),
  learnability: double,
  dropped: nullable(string),
};

const evaluationColumns: Columns<EvaluationRow> = {
  taskId: string,
  family: string,
  gold: string,
  depth: int,
  sample: int,
  prompt: string,
  promptIds: ints,
  completion: string,
  completionIds: ints,
  logProbs: floats,
  policyLogProbs: floats,
  finishReason,
  seed: string,
  policy: string,
  ...gradeColumns,
};

const dynamicsColumns: Columns<DynamicsRow> = {
  generation: int,
  prompts: int,
  fromBuffer: double,
  improve: double,
  diverge: double,
  meanRecency: nullable(double),
  maxRecency: nullable(int),
  meanDepth: double,
  maxDepth: int,
  promptsByDepth: ints,
  meanTurn: double,
  meanGoldSteps: nullable(double),
  instancesSoFar: int,
  baseTasksSoFar: int,
  baseTasks: int,
  bufferSize: int,
  bufferBaseTasks: int,
  bufferMeanDepth: double,
  bufferMaxDepth: int,
  scoreLeast: nullable(double),
  scoreLowerQuartile: nullable(double),
  scoreMedian: nullable(double),
  scoreUpperQuartile: nullable(double),
  scoreMost: nullable(double),
  scoreAgeLeast: nullable(double),
  scoreAgeLowerQuartile: nullable(double),
  scoreAgeMedian: nullable(double),
  scoreAgeUpperQuartile: nullable(double),
  scoreAgeMost: nullable(double),
  effectiveSampleSize: nullable(double),
  meanReward: double,
  meanQuality: double,
  truncated: double,
  withoutSignal: double,
  trained: double,
  learnabilityBase: nullable(double),
  learnabilityImprove: nullable(double),
  learnabilityDiverge: nullable(double),
  qualityVariance: nullable(double),
  entropy: nullable(double),
  kl: nullable(double),
  samplerMismatch: nullable(double),
  meanDiversity: nullable(double),
  pairwiseL2: nullable(double),
  pairwiseCosine: nullable(double),
};

const pointColumns: Columns<PointRow> = {
  rolloutId: string,
  generation: int,
  step: oneOf('base', 'improve', 'diverge'),
  depth: int,
  family: string,
  quality: nullable(double),
  reward: double,
  x: double,
  y: double,
};

export const encodeRollouts: Encode<RolloutRow> = encoder(rolloutColumns);
export const decodeRollouts: Decode<RolloutRow> = decoder(rolloutColumns);
export const encodeGraded: Encode<GradedRow> = encoder(gradedColumns);
export const decodeGraded: Decode<GradedRow> = decoder(gradedColumns);
export const encodeEmbeddings: Encode<EmbeddingRow> = encoder(embeddingColumns);
export const decodeEmbeddings: Decode<EmbeddingRow> = decoder(embeddingColumns);
export const encodeGroups: Encode<GroupRow> = encoder(groupColumns);
export const decodeGroups: Decode<GroupRow> = decoder(groupColumns);
export const encodeEvaluation: Encode<EvaluationRow> = encoder(evaluationColumns);
export const decodeEvaluation: Decode<EvaluationRow> = decoder(evaluationColumns);
export const encodeDynamics: Encode<DynamicsRow> = encoder(dynamicsColumns);
export const decodeDynamics: Decode<DynamicsRow> = decoder(dynamicsColumns);
export const encodePoints: Encode<PointRow> = encoder(pointColumns);
export const decodePoints: Decode<PointRow> = decoder(pointColumns);

function encoder<Row extends object>(columns: Columns<Row>): Encode<Row> {
  const named = Object.entries<Column>(columns);
  const schema: SchemaElement[] = [
    { name: 'root', num_children: named.length },
    ...named.flatMap(([name, column]) => column.schema(name)),
  ];
  return (rows) => {
    rows.forEach((row, index) => {
      const wrong = mismatch(named, row);
      if (wrong) throw new TypedFailure('ArtifactInvalid', `Row ${index}: ${wrong}. Nothing was written.`);
    });
    const columnData = named.map(([name, { plain }]) => ({
      name,
      data: rows.map((row) => row[name as keyof Row]),
      ...(plain && { encoding: 'PLAIN' as const }),
    }));
    return new Uint8Array(parquetWriteBuffer({ schema, columnData, createdBy: 'reiterate' }));
  };
}

function decoder<Row extends object>(columns: Columns<Row>): Decode<Row> {
  const named = Object.entries<Column>(columns);
  return async (bytes, key) => {
    const file = bytes.slice().buffer;
    let rows: Record<string, unknown>[];
    try {
      const found = parquetMetadata(file).schema.filter(({ name }) => name !== 'list' && name !== 'element');
      const names = found.slice(1).map(({ name }) => name);
      const expected = Object.keys(columns);
      const missing = expected.filter((name) => !names.includes(name));
      const unknown = names.filter((name) => !expected.includes(name));
      if (missing.length + unknown.length > 0)
        throw new Error(`missing columns [${missing.join(', ')}], unknown columns [${unknown.join(', ')}]`);
      rows = await parquetReadObjects({ file });
      rows.forEach((row, index) => {
        const wrong = mismatch(named, row);
        if (wrong) throw new Error(`row ${index}: ${wrong}`);
      });
    } catch (cause) {
      throw new TypedFailure(
        'ArtifactCorrupt',
        `${key} is not the Parquet file it should be: ${(cause as Error).message}`,
        { cause },
      );
    }
    return rows as Row[];
  };
}

/** What is wrong with the first value that does not fit its column, or null. */
function mismatch(columns: [string, Column][], row: object): string | null {
  for (const [name, { holds, means }] of columns) {
    const value = (row as Record<string, unknown>)[name];
    if (!holds(value)) return `${name} is ${JSON.stringify(value)?.slice(0, 60)}, expected ${means}`;
  }
  return null;
}
