import { openArithmetic } from './arithmetic/arithmetic.ts';
import type { OpenDomain } from './domain.ts';
import { openLedger } from './ledger/ledger.ts';
import { openProblems } from './problems/problems.ts';

/**
 * Opens the domain a configuration names; one line each.
 *
 * @throws `InvalidRunConfig` naming the path when the domain cannot do what the configuration asks.
 */
export const openDomain: OpenDomain = (config) => {
  switch (config.name) {
    case 'arithmetic':
      return openArithmetic(config);
    case 'ledger':
      return openLedger(config);
    case 'problems':
      return openProblems(config);
  }
};
