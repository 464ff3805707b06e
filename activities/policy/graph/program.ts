import { InferenceSession, Tensor } from 'onnxruntime-node';
import { Held, type Accelerator } from './accelerator.ts';
import { evaluate, evaluateShape, showDim, type Dim, type Symbols } from './dims.ts';
import type { Graph, Value } from './graph.ts';

/** A graph input or output: its shape as text in the program's symbols, e.g. `['G*N', '3', '64']`. */
export interface Port {
  name: string;
  type: 'float32' | 'int64';
  shape: string[];
}

/** Flat row-major arrays by input name. */
export type Feeds = Record<string, Float32Array | BigInt64Array>;

/** The same, or what an accelerator holds. */
export type HeldFeeds = Readonly<Record<string, Float32Array | BigInt64Array | Held>>;

/** Outputs by name: those that came here, and those that stayed in the accelerator's memory. */
export interface Results {
  arrays: Record<string, Float32Array>;
  held: Record<string, Held>;
}

export interface ProgramOptions {
  /** Threads of one run. Part of the result: other counts may give other bits. */
  threads: number;
  /** What it runs on instead of the processor; the graph is made for it. */
  accelerator?: Accelerator | undefined;
  /** Records how long each node takes, in a file whose name starts so; `endProfiling` closes it. */
  profilePrefix?: string;
}

/** A session on so many threads that gives the same bits every time. */
export const sessionOptions = (threads: number) =>
  ({
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // A memory plan per shape costs a second block of activations and saves no time.
    enableMemPattern: false,
  }) as const;

const portOf = ({ name, type, shape }: Value): Port => ({
  name,
  type: type === 'int64' ? 'int64' : 'float32',
  shape: shape.map(showDim),
});

/** A compiled graph that runs for any values of its symbols. `run` blocks the JavaScript thread. */
export class Program {
  /** What `run` wants fed (weights are bound already) … */
  readonly inputs: readonly Port[];
  /** … and what it returns. */
  readonly outputs: readonly Port[];

  private constructor(
    private readonly session: InferenceSession,
    private readonly graph: Pick<Graph, 'inputs' | 'outputs' | 'shapeInputs'>,
    private readonly bound: Record<string, Tensor>,
    private readonly accelerator: Accelerator | undefined,
    private readonly kept: Dim,
  ) {
    this.inputs = graph.inputs.filter(({ name }) => !(name in bound)).map(portOf);
    this.outputs = graph.outputs.map(portOf);
  }

  /**
   * Compiles a graph. `bound` inputs (weights) are the same in every run; they are shared, not copied, and on an
   * accelerator that can hold them they are sent there once: their numbers must not change.
   */
  static async create(
    graph: Graph,
    options: ProgramOptions,
    bound: Readonly<Record<string, Float32Array>> = {},
  ): Promise<Program> {
    const { accelerator } = options;
    const session = await InferenceSession.create(graph.encode(), {
      ...(accelerator?.sessionOptions(graph.staying) ?? { executionProviders: ['cpu'] }),
      ...sessionOptions(options.threads),
      ...(options.profilePrefix ? { enableProfiling: true, profileFilePrefix: options.profilePrefix } : {}),
      externalData: [...graph.externalData].map(([path, data]) => ({
        path,
        data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      })),
    });
    const { inputs, outputs, shapeInputs } = graph;
    const kept = graph.keptBytes();
    return new Program(session, { inputs, outputs, shapeInputs }, {}, accelerator, kept).bind(bound);
  }

  /**
   * The same program with more inputs of fixed size bound, those of the given that it has: their numbers must not change
   * either. Both run in one session, which `release` of either frees.
   */
  bind(bound: Readonly<Record<string, Float32Array>>): Program {
    const tensors = Object.fromEntries(
      this.graph.inputs.flatMap((input) => {
        const data = bound[input.name];
        return data ? [[input.name, tensorOf(input, data, {})]] : [];
      }),
    );
    const all = { ...this.bound, ...tensors };
    return new Program(this.session, this.graph, all, this.accelerator, this.kept);
  }

  /**
   * Runs once. Feeds are not copied; outputs are fresh arrays. Throws `TypeError` naming the input that is
   * missing, unknown, or not of the size its shape has under `symbols`.
   */
  async run(symbols: Symbols, feeds: HeldFeeds): Promise<Record<string, Float32Array>> {
    return (await this.runHolding(symbols, feeds)).arrays;
  }

  /** The same, for programs with outputs that stay on an accelerator; the caller releases those. */
  async runHolding(symbols: Symbols, feeds: HeldFeeds): Promise<Results> {
    const known = new Set(this.inputs.map(({ name }) => name));
    for (const name of Object.keys(feeds))
      if (!known.has(name)) throw new TypeError(`the program has no input '${name}'`);
    const tensors: Record<string, Tensor> = await this.#boundTensors();
    for (const input of this.graph.inputs) {
      if (!known.has(input.name)) continue;
      const data = feeds[input.name];
      if (!data) throw new TypeError(`input '${input.name}' ${input.type} is missing`);
      tensors[input.name] = tensorOf(input, data, symbols);
    }
    for (const [name, sizes] of this.graph.shapeInputs) {
      const values = sizes.map((size) => BigInt(evaluate(size, symbols)));
      tensors[name] = new Tensor('int64', BigInt64Array.from(values), [sizes.length]);
    }
    const results = await this.session.run(tensors);
    const { arrays, held }: Results = { arrays: {}, held: {} };
    for (const { name } of this.outputs) {
      const tensor = results[name] as Tensor;
      if (tensor.location === 'cpu') arrays[name] = tensor.data as Float32Array;
      else held[name] = new Held(tensor);
    }
    return { arrays, held };
  }

  /** The bound inputs, where the program runs. */
  async #boundTensors(): Promise<Record<string, Tensor>> {
    const tensors = { ...this.bound };
    if (this.accelerator?.holds)
      for (const [name, { data, dims }] of Object.entries(this.bound))
        tensors[name] = (await this.accelerator.hold(data as Float32Array)).shaped(dims);
    return tensors;
  }

  /** Bytes of what the forward pass keeps for the backward pass in a run with these sizes. */
  keptBytes(symbols: Symbols): number {
    return evaluate(this.kept, symbols);
  }

  endProfiling(): void {
    this.session.endProfiling();
  }

  /** Frees the session; the program cannot run again. */
  async release(): Promise<void> {
    await this.session.release();
  }
}

function tensorOf(input: Value, data: HeldFeeds[string], symbols: Symbols): Tensor {
  const shape = evaluateShape(input.shape, symbols);
  const size = shape.reduce((a, b) => a * b, 1);
  const type = data instanceof BigInt64Array ? 'int64' : 'float32';
  const text = `[${input.shape.map(showDim).join(', ')}]`;
  if (type !== input.type) throw new TypeError(`input '${input.name}' ${text} is ${input.type}, got ${type}`);
  if (data.length !== size)
    throw new TypeError(
      `input '${input.name}' ${text} has ${size} elements (${shape.join('×')}), got ${data.length}`,
    );
  if (data instanceof Held) return data.shaped(shape);
  return data instanceof Float32Array ? new Tensor('float32', data, shape) : new Tensor('int64', data, shape);
}
