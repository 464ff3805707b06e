/** How a distribution is cut before a token is drawn from it. */
export interface Cut {
  /** Only the k likeliest tokens; null: all. */
  topK: number | null;
  /** Then only the likeliest ones that together have this share of what is left (nucleus); null: all. */
  topP: number | null;
}

/** A token drawn, and its share of the distribution it was drawn from. */
export interface Drawn {
  token: number;
  probability: number;
}

/** How far below the likeliest token candidates are looked for at first, and how much further each time. */
const [firstReach, furtherReach] = [1e-4, 1e-2];

/**
 * Draws a token from `probabilities` [vocab] with `u` in [0, 1): of the likeliest by top-k, then top-p of what top-k
 * left (Holtzman et al. 2020), as transformers cuts. Equals go in the order of the tokens. Sums are in double
 * precision. What is no distribution (NaN) gives probability NaN.
 */
export function drawTruncated(probabilities: Float32Array, { topK, topP }: Cut, u: number): Drawn {
  const kept = topK === null && topP === null ? null : likeliest(probabilities, topK, topP);
  const count = kept?.length ?? probabilities.length;
  const at = (place: number): number => kept?.[place] ?? place;
  let total = 0;
  for (let place = 0; place < count; place++) total += probabilities[at(place)]!;
  let cumulative = 0;
  let last = 0;
  for (let place = 0; place < count; place++) {
    const probability = probabilities[at(place)]!;
    if (probability > 0) last = place;
    cumulative += probability;
    if (cumulative > u * total) break;
  }
  return { token: at(last), probability: probabilities[at(last)]! / total };
}

/** The tokens that top-k and top-p keep, likeliest first. */
function likeliest(probabilities: Float32Array, topK: number | null, topP: number | null): number[] {
  const k = topK ?? probabilities.length;
  let [peak, total] = [0, 0];
  for (let token = 0; token < probabilities.length; token++) {
    peak = Math.max(peak, probabilities[token]!);
    total += probabilities[token]!;
  }
  // Sorting the whole vocabulary is slow, and nearly all of it is nearly impossible: widen until it is enough.
  for (let reach = firstReach; ; reach *= furtherReach) {
    const least = peak * reach;
    const candidates: number[] = [];
    let mass = 0;
    for (let token = 0; token < probabilities.length; token++) {
      if (!(probabilities[token]! >= least)) continue;
      candidates.push(token);
      mass += probabilities[token]!;
    }
    // Beside top-k, top-p is a share of what top-k leaves: of what is known when k are.
    const enough = candidates.length >= k || (topK === null && mass >= topP! * total);
    // Single precision ends long before.
    if (!enough && least > 1e-60) continue;
    candidates.sort((a, b) => probabilities[b]! - probabilities[a]! || a - b);
    return topP === null ? candidates.slice(0, k) : nucleus(candidates, probabilities, k, topP, total);
  }
}

/** The shortest beginning of `sorted`, at most k, that has at least the share `topP` of what top-k leaves. */
function nucleus(
  sorted: readonly number[],
  probabilities: Float32Array,
  k: number,
  topP: number,
  total: number,
): number[] {
  const first = sorted.slice(0, k);
  const left = sorted.length < k ? total : first.reduce((sum, token) => sum + probabilities[token]!, 0);
  let cumulative = 0;
  const end = first.findIndex((token) => (cumulative += probabilities[token]!) >= topP * left);
  return end < 0 ? first : first.slice(0, end + 1);
}
