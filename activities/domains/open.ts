import type { DomainConfig } from '../../workflows/contract/config.ts';
import { openArithmetic } from './arithmetic/arithmetic.ts';
import type { Domain, OpenDomain } from './domain.ts';

/** The domains there are, one line each. */
const domains: { [Name in DomainConfig['name']]: (config: DomainConfig & { name: Name }) => Domain } = {
  arithmetic: openArithmetic,
};

/**
 * Opens the domain a configuration names.
 *
 * @throws `InvalidRunConfig` naming the path when the domain cannot do what the configuration asks.
 */
export const openDomain: OpenDomain = (config) => domains[config.name](config);
