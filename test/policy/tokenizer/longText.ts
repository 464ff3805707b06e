import { createHash } from 'node:crypto';

/** 100 kB of the given pieces, as the fixtures' makers draw them (test/fixtures/policy/README.md). */
export function longText(pieces: readonly string[]): string {
  const drawn: string[] = [];
  let x = 1;
  for (let bytes = 0; bytes < 100_000; bytes += Buffer.byteLength(drawn.at(-1)!)) {
    x = (Math.imul(1664525, x) + 1013904223) >>> 0;
    drawn.push(pieces[(x >>> 16) % pieces.length]!);
  }
  return drawn.join('');
}

/** What the fixtures keep of the ids of a long text. */
export const summaryOf = (ids: readonly number[]) => ({
  count: ids.length,
  sha256: createHash('sha256').update(ids.join()).digest('hex'),
});
