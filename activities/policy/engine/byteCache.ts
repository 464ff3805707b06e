/** Byte strings by key, the least recently used forgotten when they are more than `capacity` bytes together. */
export class ByteCache {
  readonly #entries = new Map<string, Uint8Array>();
  #held = 0;

  constructor(readonly capacity: number) {}

  get(key: string): Uint8Array | undefined {
    const bytes = this.#entries.get(key);
    if (bytes) {
      // A Map iterates in insertion order: the first key is the one used longest ago.
      this.#entries.delete(key);
      this.#entries.set(key, bytes);
    }
    return bytes;
  }

  /** Something larger than the whole capacity is not kept. */
  set(key: string, bytes: Uint8Array): void {
    this.#forget(key);
    if (bytes.length > this.capacity) return;
    this.#entries.set(key, bytes);
    this.#held += bytes.length;
    for (const oldest of this.#entries.keys()) {
      if (this.#held <= this.capacity) break;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#held -= this.#entries.get(key)?.length ?? 0;
    this.#entries.delete(key);
  }
}
