/**
 * Calls `then` when another process has been silent for so long, unless cancelled by what this returns. Was it us who were
 * busy all the time? What has arrived by then is read first.
 */
export function ifSilentFor(limitMs: number, then: () => void): () => void {
  let lastLook: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    lastLook = setImmediate(then);
  }, limitMs);
  return () => {
    clearTimeout(timer);
    clearImmediate(lastLook);
  };
}
