import { z } from 'zod';

/** Lower-case hexadecimal SHA-256 of an object's bytes. */
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits');

/**
 * A pointer to one immutable object in the artifact store. Only Refs and small summaries travel through
 * Temporal; whoever reads a Ref verifies `sha256` and `bytes`.
 */
export const Ref = z.strictObject({
  key: z.string().min(1),
  sha256: Sha256,
  bytes: z.int().nonnegative(),
});
export type Ref = z.infer<typeof Ref>;

/** The content a Ref stands for, without the place it is at. */
export const shaOf = ({ sha256 }: Ref): string => sha256;

/** The newest committed generation: what a run *is* at this moment. */
export const Head = z.strictObject({
  generation: z.int().nonnegative(),
  /** Hash of the manifest's `content`; the next manifest names it as its parent. */
  hash: Sha256,
  manifest: Ref,
});
export type Head = z.infer<typeof Head>;
