/**
 * Cuts 0 … count − 1 into consecutive pieces [from, to) of the least total cost, by dynamic programming. `costOf` must
 * not fall as a piece grows to the front: the first infinite one ends the search.
 */
export function cheapestCut(
  count: number,
  costOf: (from: number, to: number) => number,
): { cost: number; pieces: [from: number, to: number][] } {
  const best: { cost: number; from: number }[] = [{ cost: 0, from: 0 }];
  for (let to = 1; to <= count; to++) {
    let cheapest = { cost: Infinity, from: to - 1 };
    for (let from = to - 1; from >= 0; from--) {
      const own = costOf(from, to);
      if (own === Infinity) break;
      const cost = best[from]!.cost + own;
      if (cost < cheapest.cost) cheapest = { cost, from };
    }
    best.push(cheapest);
  }
  const pieces: [number, number][] = [];
  for (let to = count; to > 0; to = best[to]!.from) pieces.unshift([best[to]!.from, to]);
  return { cost: best[count]!.cost, pieces };
}
