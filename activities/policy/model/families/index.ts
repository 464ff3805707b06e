import type { Family } from './family.ts';
import { llama } from './llama.ts';
import { qwen2 } from './qwen2.ts';

/** The families by what both GGUF (`general.architecture`) and `config.json` (`model_type`) call them. */
export const families = { llama, qwen2 } satisfies Record<string, Family>;
export type FamilyName = keyof typeof families;

export const isFamilyName = (name: string): name is FamilyName => Object.hasOwn(families, name);

/** The family of a model; typed as any of them. */
export const familyOf = ({ family }: { family: FamilyName }): Family => families[family];
