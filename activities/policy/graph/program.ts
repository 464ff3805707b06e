import { InferenceSession, Tensor } from 'onnxruntime-node';
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

export interface ProgramOptions {
  /** Threads of one run. Part of the result: other counts may give other bits. */
  threads: number;
  /** Records how long each node takes, in a file whose name starts so; `endProfiling` closes it. */
  profilePrefix?: string;
}

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
    private readonly kept: Dim,
  ) {
    this.inputs = graph.inputs.filter(({ name }) => !(name in bound)).map(portOf);
    this.outputs = graph.outputs.map(portOf);
  }

  /** Compiles a graph. `bound` inputs (weights) are the same in every run and are shared, not copied. */
  static async create(
    graph: Graph,
    options: ProgramOptions,
    bound: Readonly<Record<string, Float32Array>> = {},
  ): Promise<Program> {
    const session = await InferenceSession.create(graph.encode(), {
      executionProviders: ['cpu'],
      intraOpNumThreads: options.threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      // A memory plan per shape costs a second block of activations and saves no time.
      enableMemPattern: false,
      ...(options.profilePrefix ? { enableProfiling: true, profileFilePrefix: options.profilePrefix } : {}),
      externalData: [...graph.externalData].map(([path, data]) => ({
        path,
        data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      })),
    });
    const { inputs, outputs, shapeInputs } = graph;
    return new Program(session, { inputs, outputs, shapeInputs }, {}, graph.keptBytes()).bind(bound);
  }

  /**
   * The same program with more inputs of fixed size bound, those of the given that it has. Both run in one session,
   * which `release` of either frees.
   */
  bind(bound: Readonly<Record<string, Float32Array>>): Program {
    const tensors = Object.fromEntries(
      this.graph.inputs.flatMap((input) => {
        const data = bound[input.name];
        return data ? [[input.name, tensorOf(input, data, {})]] : [];
      }),
    );
    return new Program(this.session, this.graph, { ...this.bound, ...tensors }, this.kept);
  }

  /**
   * Runs once. Feeds are not copied; outputs are fresh arrays. Throws `TypeError` naming the input that is
   * missing, unknown, or not of the size its shape has under `symbols`.
   */
  async run(symbols: Symbols, feeds: Feeds): Promise<Record<string, Float32Array>> {
    const known = new Set(this.inputs.map(({ name }) => name));
    for (const name of Object.keys(feeds))
      if (!known.has(name)) throw new TypeError(`the program has no input '${name}'`);
    const tensors: Record<string, Tensor> = { ...this.bound };
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
    return Object.fromEntries(this.outputs.map(({ name }) => [name, results[name]!.data as Float32Array]));
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

function tensorOf(input: Value, data: Float32Array | BigInt64Array, symbols: Symbols): Tensor {
  const shape = evaluateShape(input.shape, symbols);
  const size = shape.reduce((a, b) => a * b, 1);
  const type = data instanceof Float32Array ? 'float32' : 'int64';
  const text = `[${input.shape.map(showDim).join(', ')}]`;
  if (type !== input.type) throw new TypeError(`input '${input.name}' ${text} is ${input.type}, got ${type}`);
  if (data.length !== size)
    throw new TypeError(
      `input '${input.name}' ${text} has ${size} elements (${shape.join('×')}), got ${data.length}`,
    );
  return data instanceof Float32Array ? new Tensor('float32', data, shape) : new Tensor('int64', data, shape);
}
