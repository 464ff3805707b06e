/** The names exported here are the public `--type` names. */
export { exitRun } from './exitRun.ts';
export { generation } from './generation.ts';
export { evaluation } from './evaluation.ts';
export { selfImprove } from './selfImprove.ts';
export { ablation } from './ablation.ts';
