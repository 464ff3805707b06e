import type { Assumption } from './assumption.ts';
import { curriculumAssumptions } from './curriculum.ts';
import { trainingAssumptions } from './training.ts';

export type { Assumption, Part } from './assumption.ts';

/**
 * Every value and rule that ExIt (arXiv:2509.04575) leaves open, and every printed value that the robust presets
 * change, by decision. Printed by `reiterate explain` and stored with each run, whose own values are in its
 * configuration under the paths.
 */
export const assumptions: readonly Assumption[] = [...curriculumAssumptions, ...trainingAssumptions].sort(
  (one, other) => one.decision - other.decision,
);
