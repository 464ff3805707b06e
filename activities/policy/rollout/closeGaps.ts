/**
 * The order in which those of `count` things go on that stay: each where it was, save that the last ones fill the gaps
 * of those that go. So the i-th comes from `order[i]` ≥ i, and all can be moved in place, from the first to the last.
 */
export function closeGaps(count: number, stays: (index: number) => boolean): number[] {
  const order: number[] = [];
  let end = count;
  for (let index = 0; index < end; index++) {
    if (stays(index)) order.push(index);
    else {
      do end--;
      while (end > index && !stays(end));
      if (end > index) order.push(end);
    }
  }
  return order;
}
