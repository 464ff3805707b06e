import type { Held } from '../graph/accelerator.ts';
import type { Symbols } from '../graph/dims.ts';
import type { HeldFeeds, Results } from '../graph/program.ts';
import type { PromptLayout } from '../model/layout.ts';
import type { Past } from '../model/past.ts';
import type { ModelConfig } from '../weights/checkpoint.ts';
import { BatchCache, CacheRoom, type Cache, type CacheSize } from './cache.ts';
import type { RowMover } from './rowMover.ts';

/**
 * The same keys and values as in `BatchCache`, in an accelerator's memory, where prompts are sent once and which what is
 * generated never leaves: every change makes new arrays there out of rows of the old ones and of what a program has
 * left. Rows that hold nothing yet are copies of others, hidden by the masks.
 */
export class HeldCache implements Cache {
  /** Knows what stands where, and holds nothing itself. */
  readonly #plan: BatchCache;
  readonly #ports: readonly { half: 'Key' | 'Value'; layer: number }[];
  readonly #kv: number;
  readonly #mover: RowMover;
  /** What arrays start as: a row to copy. */
  readonly #nothing: Held;
  /** An array of [N·kv·P, D] for each port … */
  #prompts: Held[];
  /** … and one of [R·kv·L, D]. */
  #generated: Held[];

  private constructor(config: ModelConfig, size: CacheSize, mover: RowMover, nothing: Held) {
    this.#plan = new BatchCache({ ...config, layers: 0 }, size, new CacheRoom());
    this.#ports = portsOf(config);
    this.#kv = config.keyValueHeads;
    this.#mover = mover;
    this.#nothing = nothing;
    this.#prompts = this.#ports.map(() => nothing);
    this.#generated = this.#ports.map(() => nothing);
  }

  static async open(config: ModelConfig, size: CacheSize, mover: RowMover): Promise<HeldCache> {
    return new HeldCache(config, size, mover, await mover.accelerator.hold(new Float32Array(config.headDim)));
  }

  get places(): number {
    return this.#plan.places;
  }

  get symbols(): Symbols {
    return this.#plan.symbols;
  }

  get positions(): BigInt64Array {
    return this.#plan.positions;
  }

  async admit(layout: PromptLayout, past: Past, outputs: Results['arrays'], rollouts: number): Promise<void> {
    const { F, C } = layout.symbols as { F: number; C: number };
    const [places, rows] = [this.places, this.#plan.rows.length];
    this.#plan.admit(layout, past, {}, rollouts);
    const kv = this.#kv;
    const { N, R, P, L } = this.#plan.symbols;
    const pastRows = Math.max(1, past.length);
    const first = this.#rows(this.#prompts);
    const [common, own] = [first + kv * pastRows, first + kv * (pastRows + F)];
    const prompts = rowIndex([N, kv, P], ([place, head, t], row) => {
      if (place < places) return row;
      const read = place - places;
      if (t < past.length) return first + head * pastRows + t;
      if (t < layout.prefix) return common + head * F + t - past.length;
      if (t >= layout.lengths[read]!) return 0;
      return own + (head * layout.lengths.length + read) * C + t - layout.prefix;
    });
    const sent = [
      // A past is read from more than once, and what is sent is given back.
      await this.#send((port) => past.feeds[`past${port}`]!.slice()),
      await this.#send((port) => outputs[`prefix${port}`]!),
      await this.#send((port) => outputs[`suffix${port}`]!),
    ];
    this.#prompts = await this.#replace([this.#prompts, ...sent], prompts);
    const generated = rowIndex([R, kv, L], ([rollout], row) => (rollout < rows ? row : 0));
    this.#generated = await this.#replace([this.#generated], generated);
  }

  async append(_: Results['arrays'], held: Results['held']): Promise<void> {
    const before = this.#plan.symbols.L;
    const filled = this.#plan.rows.map((row) => row.filled);
    this.#plan.append({});
    const own = this.#rows(this.#generated);
    const { R, L } = this.#plan.symbols;
    const index = rowIndex([R, this.#kv, L], ([rollout, head, l]) => {
      const row = rollout * this.#kv + head;
      if (l === filled[rollout]) return own + row;
      return l < before ? row * before + l : 0;
    });
    const newest = this.#ports.map(({ half, layer }) => held[`${half.toLowerCase()}.${layer}`]!);
    this.#generated = await this.#replace([this.#generated, newest], index);
  }

  async keep(rows: readonly number[]): Promise<void> {
    const before = this.#plan.symbols.L;
    const placesBefore = rows.map((row) => this.#plan.rows[row]!.place);
    this.#plan.keep(rows);
    if (rows.length === 0) return this.#empty();
    const kv = this.#kv;
    const { N, R, P, L } = this.#plan.symbols;
    const from = new Map(this.#plan.rows.map(({ place }, row) => [place, placesBefore[row]!]));
    const prompts = rowIndex([N, kv, P], ([place, head, t]) => (from.get(place)! * kv + head) * P + t);
    const generated = rowIndex([R, kv, L], ([row, head, l]) => (rows[row]! * kv + head) * before + l);
    this.#prompts = await this.#replace([this.#prompts], prompts);
    this.#generated = await this.#replace([this.#generated], generated);
  }

  feeds(): HeldFeeds {
    const caches = this.#ports.flatMap(({ half, layer }, i) => [
      [`prompt${half}.${layer}`, this.#prompts[i]!],
      [`generated${half}.${layer}`, this.#generated[i]!],
    ]);
    return { ...this.#plan.feeds(), ...Object.fromEntries(caches) };
  }

  async #send(arrayOf: (port: string) => Float32Array): Promise<Held[]> {
    const sent: Held[] = [];
    for (const { half, layer } of this.#ports)
      sent.push(await this.#mover.accelerator.hold(arrayOf(`${half}.${layer}`)));
    return sent;
  }

  #rows([first]: readonly Held[]): number {
    return first!.length / this.#mover.width;
  }

  /** Rows of the sources, which are given back. */
  async #replace(sources: readonly (readonly Held[])[], index: BigInt64Array): Promise<Held[]> {
    const moved = await this.#mover.move(sources, index);
    for (const source of sources) this.#release(source);
    return moved;
  }

  #empty(): void {
    this.#release(this.#prompts);
    this.#release(this.#generated);
    this.#prompts = this.#generated = this.#ports.map(() => this.#nothing);
  }

  #release(arrays: readonly Held[]): void {
    for (const array of arrays) if (array !== this.#nothing) array.release();
  }
}

/** Keys and values of each layer. */
const portsOf = ({ layers }: ModelConfig) =>
  Array.from({ length: layers }, (_, layer) =>
    (['Key', 'Value'] as const).map((half) => ({ half, layer })),
  ).flat();

/** For each place [a, b, …] in an array of rows of these sizes, the row to put there. */
function rowIndex<Sizes extends readonly number[]>(
  sizes: readonly [...Sizes],
  source: (place: Sizes, row: number) => number,
): BigInt64Array {
  const index = new BigInt64Array(sizes.reduce((rows, size) => rows * size, 1));
  const place = sizes.map(() => 0) as unknown as Sizes & number[];
  for (let row = 0; row < index.length; row++) {
    index[row] = BigInt(source(place, row));
    for (let axis = sizes.length - 1; axis >= 0 && ++place[axis]! === sizes[axis]; axis--) place[axis] = 0;
  }
  return index;
}
