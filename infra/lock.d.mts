/**
 * Runs `work` while holding the lock file. `onWait` is told once who holds it; after `deadlineMs` of waiting an
 * Error says who and what to do.
 */
export function withLock<T>(
  file: string,
  options: { deadlineMs: number; onWait?: (owner: string) => void },
  work: () => Promise<T>,
): Promise<T>;
