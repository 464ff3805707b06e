import type { Strategy } from './strategy.ts';

/**
 * Base tasks alone: nothing is kept, so nothing is chosen (plain GRPO, ExIt Table 1; iGRPO, whose drafts do not outlive
 * their generation).
 */
export const uniform = (): Strategy => ({
  propose: () => [],
  observe: () => [],
  metrics: () => ({}),
});
