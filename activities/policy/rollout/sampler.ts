/**
 * The token at `u` of the cumulative distribution `probabilitiesBV[row]`, accumulated in double precision. `u` is
 * in [0, 1). A token of probability zero is never chosen; when rounding leaves the sum below `u`, it is the last
 * token with any probability. Returns −1 when the row is no distribution (NaN, or its sum is not 1).
 */
export function sampleToken(
  probabilitiesBV: Float32Array,
  row: number,
  vocabulary: number,
  u: number,
): number {
  const start = row * vocabulary;
  const end = start + vocabulary;
  let cumulative = 0;
  for (let i = start; i < end; i++) {
    cumulative += probabilitiesBV[i]!;
    if (cumulative > u) return i - start;
  }
  if (!(Math.abs(cumulative - 1) < 1e-3)) return -1;
  let last = end - 1;
  while (!(probabilitiesBV[last]! > 0)) last--;
  return last - start;
}
