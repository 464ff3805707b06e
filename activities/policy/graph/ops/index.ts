/** The operations models are built from; each stands beside its gradient. */
export {
  add,
  clamp,
  divide,
  exp,
  greater,
  k3,
  minimum,
  multiply,
  negate,
  subtract,
  type Operand,
} from './elementwise.ts';
export { attention, partialAttention, type Seen, type Segment } from './attention.ts';
export { concat, expand, reshape, split, transpose } from './shape.ts';
export { embed, gatherRows, packRows, spreadRows, type Placement } from './rows.ts';
export { linear, loraLinears, type LoraLinear, type LoraPair } from './linear.ts';
export { quantisedLinear, quantiseWeight } from './quantisedLinear.ts';
export { rmsNorm } from './norm.ts';
export { rotary, type RotaryTables } from './rotary.ts';
export { softmax, sum } from './reduce.ts';
export { swiglu } from './swiglu.ts';
export { targetLogProb } from './head.ts';
