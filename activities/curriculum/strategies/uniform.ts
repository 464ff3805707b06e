import type { Strategy } from './strategy.ts';

/** Base tasks alone: nothing is kept, so nothing is chosen (plain GRPO, ExIt Table 1). */
export const uniform = (): Strategy => ({
  propose: () => [],
  observe: () => [],
  metrics: () => ({}),
});
