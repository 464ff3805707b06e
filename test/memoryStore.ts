import { sha256 } from '../activities/artifacts/canonical.ts';
import type { Store } from '../activities/artifacts/store.ts';

/** An artifact store without a server: what tests of single steps need of it. */
export function memoryStore(): Store {
  const objects = new Map<string, Uint8Array>();
  const refOf = (key: string, bytes: Uint8Array) => ({ key, sha256: sha256(bytes), bytes: bytes.length });
  const overwrite = (key: string, bytes: Uint8Array) => {
    objects.set(key, bytes);
    return Promise.resolve(refOf(key, bytes));
  };
  const find = (key: string) => {
    const bytes = objects.get(key);
    return Promise.resolve(bytes ? { bytes, ref: refOf(key, bytes) } : null);
  };
  return {
    overwrite,
    find,
    put: (key, bytes) => overwrite(key, bytes),
    putOnce: async (key, bytes) => {
      const winner = await find(key);
      return winner ? { won: false, ...winner } : { won: true, bytes, ref: await overwrite(key, bytes) };
    },
    read: ({ key }) => Promise.resolve(objects.get(key)!),
    list: (prefix) => Promise.resolve([...objects.keys()].filter((key) => key.startsWith(prefix)).sort()),
    folders: (prefix) => {
      const below = [...objects.keys()].filter((key) => key.startsWith(prefix));
      const names = below.map((key) => key.slice(prefix.length)).filter((key) => key.includes('/'));
      return Promise.resolve([...new Set(names.map((key) => `${prefix}${key.split('/')[0]}/`))].sort());
    },
    check: () => Promise.resolve(),
  };
}
