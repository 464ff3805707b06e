/** A graph input or output: its shape as text in the program's symbols, e.g. `['N*G', '3', '64']`. */
export interface Port {
  name: string;
  type: 'float32' | 'int64';
  shape: string[];
}

/** Values of the named dimensions, e.g. `{ N: 8, P: 64 }`. */
export type Symbols = Record<string, number>;
/** Flat row-major arrays by input name. */
export type Feeds = Record<string, Float32Array | BigInt64Array>;

export interface ProgramOptions {
  /** Threads of one run. Part of the result: other counts may give other bits. */
  threads: number;
}

/** A compiled graph that runs for any values of its symbols. `run` blocks the JavaScript thread. */
export declare class Program {
  /** What `run` wants fed (weights are bound already) … */
  readonly inputs: Port[];
  /** … and what it returns. */
  readonly outputs: Port[];
  /**
   * Runs once. Feeds are not copied; outputs are fresh arrays. Throws `TypeError` naming the input that is
   * missing, unknown, or not of the size its shape has under `symbols`.
   */
  run(symbols: Symbols, feeds: Feeds): Promise<Record<string, Float32Array>>;
  release(): Promise<void>;
}
