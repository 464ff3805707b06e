import { CommandFailure, exitCodes } from './exit.ts';

/** How long Temporal may be away before watching gives up. */
const patienceMs = 60_000;

/**
 * Returns `look`, which gives null while Temporal is away: a server that restarts comes back. One that never answered
 * does not, and its failure is thrown at once.
 */
export function patiently<Seen>(look: () => Promise<Seen>): () => Promise<Seen | null> {
  let answeredMs: number | null = null;
  return async () => {
    try {
      const seen = await look();
      answeredMs = Date.now();
      return seen;
    } catch (error) {
      const away = error instanceof CommandFailure && error.code === exitCodes.unreachable;
      if (!away || answeredMs === null || Date.now() - answeredMs > patienceMs) throw error;
      return null;
    }
  };
}

export const awayMessage = 'Temporal does not answer; trying again.';
