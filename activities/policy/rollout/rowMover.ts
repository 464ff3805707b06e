import type { Accelerator, Held } from '../graph/accelerator.ts';
import { symbol } from '../graph/dims.ts';
import { Graph } from '../graph/graph.ts';
import { concat, gatherRows } from '../graph/ops/index.ts';
import { Program } from '../graph/program.ts';

/** Moves rows of `width` numbers between arrays in an accelerator's memory; `count` arrays of one form at a time. */
export class RowMover {
  /** By how many sources they read. */
  readonly #programs = new Map<number, Promise<Program>>();

  constructor(
    readonly accelerator: Accelerator,
    readonly count: number,
    readonly width: number,
  ) {}

  /**
   * New arrays, the i-th of which has the rows [index.length, width] of the i-th array of every source, one source
   * after the other, that `index` names.
   */
  async move(sources: readonly (readonly Held[])[], index: BigInt64Array): Promise<Held[]> {
    let program = this.#programs.get(sources.length);
    if (!program) this.#programs.set(sources.length, (program = this.#make(sources.length)));
    const sizes = sources.map(([first], s) => [`S${s}`, first!.length / this.width] as const);
    const feeds = sources.flatMap((arrays, s) =>
      arrays.map((array, i) => [`source.${s}.${i}`, array] as const),
    );
    const { held } = await (
      await program
    ).runHolding({ ...Object.fromEntries(sizes), R: index.length }, { ...Object.fromEntries(feeds), index });
    return Array.from({ length: this.count }, (_, i) => held[`moved.${i}`]!);
  }

  #make(sources: number): Promise<Program> {
    const { accelerator, count, width } = this;
    const graph = new Graph(accelerator.kind);
    const sizes = Array.from({ length: sources }, (_, s) => symbol(`S${s}`));
    const index = graph.input('index', 'int64', [symbol('R')]);
    for (let i = 0; i < count; i++) {
      const parts = sizes.map((size, s) => graph.input(`source.${s}.${i}`, 'float32', [size, width]));
      const rows = parts.length === 1 ? parts[0]! : concat(parts, 0);
      graph.output(`moved.${i}`, gatherRows(rows, index), true);
    }
    return Program.create(graph, { threads: 1, accelerator });
  }
}
