/**
 * What several things under way come to, when all have ended: none of them is at work any more, whatever failed. What
 * is told is the first failure in their order, not in time's.
 */
export async function together<const Work extends readonly Promise<unknown>[]>(
  work: Work,
): Promise<{ -readonly [Place in keyof Work]: Awaited<Work[Place]> }> {
  await Promise.allSettled(work);
  return Promise.all(work);
}
