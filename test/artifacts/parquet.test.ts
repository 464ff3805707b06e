import assert from 'node:assert/strict';
import test from 'node:test';
import fc, { type Arbitrary } from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import {
  decodeEvaluation,
  decodeGraded,
  decodeGroups,
  decodeRollouts,
  encodeEvaluation,
  encodeGraded,
  encodeGroups,
  encodeRollouts,
} from '../../activities/artifacts/parquet.ts';
import type { EvaluationRow, GradedRow, GroupRow, RolloutRow } from '../../activities/artifacts/records.ts';

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '\0', 'a\u0000b', '😀', '\ufffd', '\r\n'),
);
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const float32 = fc.float({ noNaN: true, noDefaultInfinity: true });
const double = fc.double({ noNaN: true, noDefaultInfinity: true });
const ids = fc.array(int32, { maxLength: 40 });

const grade = {
  quality: fc.option(double),
  verdict: text,
  answer: fc.option(text),
  graderVersion: text,
  error: fc.option(text),
};
const answer = {
  prompt: text,
  promptIds: ids,
  completion: text,
  completionIds: ids,
  logProbs: fc.array(float32, { maxLength: 40 }),
  policyLogProbs: fc.array(float32, { maxLength: 40 }),
  finishReason: fc.constantFrom('stop', 'stopString', 'length'),
  seed: text,
  policy: text,
  family: text,
  gold: text,
  depth: int32,
} as const;
const rollout = {
  ...answer,
  rolloutId: text,
  generation: int32,
  ordinal: int32,
  rollout: int32,
  instanceId: text,
  parentInstanceId: fc.option(text),
  parentRolloutId: fc.option(text),
  baseTaskId: text,
  step: fc.constantFrom('base', 'improve', 'diverge'),
  source: fc.constantFrom('taskSet', 'buffer'),
  turn: int32,
} as const;

const rolloutRow: Arbitrary<RolloutRow> = fc.record(rollout);
const gradedRow: Arbitrary<GradedRow> = fc.record({ rolloutId: text, ...grade });
const groupRow: Arbitrary<GroupRow> = fc.record({
  ...rollout,
  ...grade,
  reward: double,
  advantage: double,
  diversity: fc.option(double),
  learnability: double,
  dropped: fc.option(text),
});
const evaluationRow: Arbitrary<EvaluationRow> = fc.record({
  ...answer,
  ...grade,
  taskId: text,
  sample: int32,
});

function roundTrips<Row>(
  name: string,
  row: Arbitrary<Row>,
  encode: (rows: Row[]) => Uint8Array,
  decode: (bytes: Uint8Array, key: string) => Promise<Row[]>,
): void {
  test(`${name}: what is written is read back, and same rows give same bytes`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 12 }), async (rows) => {
        const bytes = encode(rows);
        const back = await decode(bytes, 'key');
        // `deepEqual` tells -0 from 0, the plain prototype makes it look at values only.
        assert.deepEqual(
          back,
          rows.map((each) => ({ ...each })),
        );
        assert.deepEqual(encode(back), bytes);
      }),
      { numRuns: 60 },
    );
  });
}
roundTrips('rollouts', rolloutRow, encodeRollouts, decodeRollouts);
roundTrips('graded', gradedRow, encodeGraded, decodeGraded);
roundTrips('groups', groupRow, encodeGroups, decodeGroups);
roundTrips('evaluation', evaluationRow, encodeEvaluation, decodeEvaluation);

const [graded] = fc.sample(gradedRow, { numRuns: 1, seed: 1 }) as [GradedRow];
const [rolled] = fc.sample(rolloutRow, { numRuns: 1, seed: 1 }) as [RolloutRow];

test('thousands of rows and long lists', async () => {
  const rows = Array.from({ length: 3000 }, (_, i): RolloutRow => ({
    ...rolled,
    ordinal: i,
    parentRolloutId: i % 3 ? `g1/${i}` : null,
    completionIds: Array.from({ length: i % 700 }, (_, t) => t * i),
    logProbs: Array.from({ length: i % 700 }, (_, t) => Math.fround(-t / (i + 1))),
    policyLogProbs: Array.from({ length: i % 700 }, (_, t) => Math.fround(-t / (i + 2))),
  }));
  assert.deepEqual(await decodeRollouts(encodeRollouts(rows), 'key'), rows);
});

test('log-probs are rounded to float32', async () => {
  const [row] = await decodeRollouts(encodeRollouts([{ ...rolled, logProbs: [-0.1] }]), 'key');
  assert.deepEqual(row?.logProbs, [Math.fround(-0.1)]);
});

test('0 and −0 stay what they are, beside each other', async () => {
  const rows = [0, -0].map((quality) => ({ ...graded, quality }));
  assert.deepEqual(await decodeGraded(encodeGraded(rows), 'key'), rows);
  const [row] = await decodeRollouts(encodeRollouts([{ ...rolled, logProbs: [0, -0, 0] }]), 'key');
  assert.deepEqual(row?.logProbs, [0, -0, 0]);
});

test('a value its column cannot keep is refused, with row and column', () => {
  const refused = (change: object, message: RegExp) =>
    assert.throws(() => encodeRollouts([rolled, { ...rolled, ...change }]), {
      name: 'ArtifactInvalid',
      message,
    });
  refused({ logProbs: [-1, NaN] }, /Row 1: logProbs/);
  refused({ logProbs: [-1e300] }, /Row 1: logProbs/);
  refused({ completionIds: [2 ** 31] }, /Row 1: completionIds/);
  refused({ promptIds: [0.5] }, /Row 1: promptIds/);
  refused({ completion: 'half a pair \ud83d' }, /Row 1: completion is .* well-formed/);
  refused({ seed: null }, /Row 1: seed is null/);
  refused({ step: 'guess' }, /Row 1: step is "guess", expected one of base, improve, diverge/);
  assert.throws(() => encodeGraded([{ ...graded, quality: Infinity }]), { name: 'ArtifactInvalid' });
});

test('a file with other columns, other values or damaged bytes is corrupt', async () => {
  const corrupt = (bytes: Uint8Array, message: RegExp) =>
    assert.rejects(decodeGraded(bytes, 'runs/a/graded-00.parquet'), { name: 'ArtifactCorrupt', message });
  const good = encodeGraded([graded]);
  await corrupt(encodeRollouts([rolled]), /missing columns \[quality, .*unknown columns \[generation, /);
  await corrupt(good.slice(0, -20), /runs\/a\/graded-00\.parquet/);
  await corrupt(new Uint8Array(), /runs\/a\/graded-00\.parquet/);
  await corrupt(new TextEncoder().encode('{"not":"parquet"}'), /runs\/a\/graded-00\.parquet/);
  const columns = Object.entries({ ...graded, quality: 'high' }).map(([name, value]) => ({
    name,
    data: [value],
    type: 'STRING' as const,
  }));
  await corrupt(new Uint8Array(parquetWriteBuffer({ columnData: columns })), /row 0: quality is "high"/);
});
