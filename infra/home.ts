import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * A path in the one folder where Reiterate keeps what is not part of the repository: `bin/`, `models/` and
 * `services/<instance>/`. It is `REITERATE_HOME`, else `$XDG_CACHE_HOME/reiterate`, else `~/.cache/reiterate`.
 */
export function homePath(...parts: string[]): string {
  const { REITERATE_HOME, XDG_CACHE_HOME } = process.env;
  const home = REITERATE_HOME
    ? resolve(REITERATE_HOME)
    : join(XDG_CACHE_HOME ? XDG_CACHE_HOME : join(homedir(), '.cache'), 'reiterate');
  return join(home, ...parts);
}
