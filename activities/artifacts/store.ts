import type { Ref } from '../../workflows/contract/ref.ts';

/**
 * The artifact store: immutable objects under legible keys, read back by Ref and verified. Errors are
 * `TypedFailure`s: `ArtifactMissing`, `ArtifactCorrupt`, `StoreUnavailable`, `StoreDenied`.
 */
export interface Store {
  /**
   * Puts if absent; what is there stays as it is. When the key holds other bytes, left by an attempt that ended before
   * it committed (another kind of processor computes other bits), these go beside it, under the key with their hash.
   * So every Ref names what its own attempt made, and the attempt that commits decides which of them count.
   */
  put(key: string, bytes: Uint8Array, contentType: string): Promise<Ref>;
  /** Puts with `If-None-Match: *`; the loser gets the winner's bytes. */
  putOnce(
    key: string,
    bytes: Uint8Array,
    contentType: string,
  ): Promise<{ won: boolean; bytes: Uint8Array; ref: Ref }>;
  /** Replaces what is there. Only for things that are not state: reports, history exports. */
  overwrite(key: string, bytes: Uint8Array, contentType: string): Promise<Ref>;
  /** Verified bytes. */
  read(ref: Ref): Promise<Uint8Array>;
  /** Bytes at a key and their Ref, or null when there are none. */
  find(key: string): Promise<{ bytes: Uint8Array; ref: Ref } | null>;
  /** Keys under a prefix, sorted. */
  list(prefix: string): Promise<string[]>;
  /** The folders directly under a prefix that ends in `/`, each with its `/`, sorted. */
  folders(prefix: string): Promise<string[]>;
  /** Throws a clear failure when the store cannot be reached or refuses us. */
  check(): Promise<void>;
}
