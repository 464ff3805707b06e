import onnxProto, { type onnx as Onnx } from 'onnx-proto';
import type { DeviceKind } from '../../../workflows/contract/config.ts';
import { product, sameShape, showDim, showShape, sum, type Dim, type Shape } from './dims.ts';

const { onnx } = onnxProto;

export type ElementType = 'float32' | 'int64' | 'bool' | 'int8' | 'uint8';
/** A float attribute is written `{ float: x }`, because `1` alone is an integer. */
export type Attribute = number | number[] | string | { float: number } | { graph: Onnx.IGraphProto };
type Data = Float32Array | BigInt64Array;

/** A tensor of a graph, known by name and shape only. */
export class Value {
  constructor(
    readonly graph: Graph,
    readonly name: string,
    readonly type: ElementType,
    readonly shape: Shape,
    /** A gradient may flow through it: it depends on an input that was declared `tracked`. */
    readonly tracked: boolean,
  ) {}
}

/** One differentiable operation as it was applied; the tape of these is what autodiff replays backwards. */
export interface TapeEntry {
  operation: string;
  inputs: readonly Value[];
  outputs: readonly Value[];
  /** From the gradients of the outputs (null: zero) those of the inputs; null where an input has none. */
  gradient: (outputGradients: readonly (Value | null)[]) => readonly (Value | null)[];
}

/** What a node makes: one entry an output. */
export interface OutputSpec {
  shape: Shape;
  type?: ElementType;
}

const { DataType } = onnx.TensorProto;
const elementTypes = {
  float32: DataType.FLOAT,
  int64: DataType.INT64,
  bool: DataType.BOOL,
  int8: DataType.INT8,
  uint8: DataType.UINT8,
} as const;
const elementBytes: Readonly<Record<ElementType, number>> = {
  float32: 4,
  int64: 8,
  bool: 1,
  int8: 1,
  uint8: 1,
};
const bytesOf = (data: Data) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function encodeAttribute(name: string, value: Attribute): Onnx.IAttributeProto {
  const { AttributeType } = onnx.AttributeProto;
  if (Array.isArray(value)) return { name, type: AttributeType.INTS, ints: value };
  if (typeof value === 'number') return { name, type: AttributeType.INT, i: value };
  if (typeof value === 'string') return { name, type: AttributeType.STRING, s: Buffer.from(value) };
  if ('graph' in value) return { name, type: AttributeType.GRAPH, g: value.graph };
  return { name, type: AttributeType.FLOAT, f: value.float };
}

function encodePort(name: string, type: ElementType, shape: Shape): Onnx.IValueInfoProto {
  const dim = shape.map((d) => (typeof d === 'number' ? { dimValue: d } : { dimParam: showDim(d) }));
  return { name, type: { tensorType: { elemType: elementTypes[type], shape: { dim } } } };
}

/**
 * An ONNX graph under construction. Shapes may be symbolic; where ONNX wants such a shape as a tensor, the
 * graph gets an int64 input that `Program` fills at run time from the symbols, so one session serves all sizes.
 */
export class Graph {
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  /** Outputs that only later runs read: on an accelerator they stay in its memory, if it can hold them. */
  readonly staying: string[] = [];
  /** What gradients are made from; `record` changes it for a while. */
  tape: TapeEntry[] = [];
  /** Inputs that carry shapes: name → the sizes to fill in. */
  readonly shapeInputs = new Map<string, Shape>();
  /** Weights kept out of the encoded model, so that they are not copied into it: name → data. */
  readonly externalData = new Map<string, Float32Array | Int8Array>();
  private readonly nodes: Onnx.INodeProto[] = [];
  private readonly intermediates: Value[] = [];
  private readonly initializers: Onnx.ITensorProto[] = [];
  private readonly constants = new Map<string, Value>();
  /** From this node on the graph is a backward pass. */
  private backwardStart = Infinity;

  /**
   * `device`: what it will run on, for operations whose kernels differ. `outer`: the graph in which this one is the
   * body of a loop; its names start with `prefix`.
   */
  constructor(
    readonly device: DeviceKind = 'cpu',
    private readonly outer: Graph | null = null,
    private readonly prefix = '',
  ) {}

  /** What callers feed. A `tracked` input is one that gradients are wanted for. */
  input(name: string, type: 'float32' | 'int64', shape: Shape, tracked = false): Value {
    const value = new Value(this, name, type, shape, tracked);
    this.inputs.push(value);
    return value;
  }

  /** A weight that the session owns, packed for the processor when it is opened. */
  weight(name: string, shape: readonly number[], data: Float32Array | Int8Array): Value {
    const type = data instanceof Float32Array ? 'float32' : 'int8';
    this.externalData.set(name, data);
    const entries = { location: name, offset: '0', length: String(data.byteLength) };
    this.initializers.push({
      name,
      dims: [...shape],
      dataType: elementTypes[type],
      dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
      externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
    });
    return new Value(this, name, type, shape, false);
  }

  private constant(shape: readonly number[], data: Data): Value {
    if (this.outer) return this.outer.constant(shape, data);
    const type = data instanceof Float32Array ? 'float32' : 'int64';
    const key = `constant:${type}:${showShape(shape)}:${data.join(',')}`;
    const known = this.constants.get(key);
    if (known) return known;
    const value = new Value(this, `constant_${this.constants.size}`, type, shape, false);
    this.initializers.push({
      name: value.name,
      dims: [...shape],
      dataType: elementTypes[type],
      rawData: bytesOf(data),
    });
    this.constants.set(key, value);
    return value;
  }

  scalar(value: number): Value {
    return this.constant([], Float32Array.of(value));
  }

  floats(values: number[]): Value {
    return this.constant([values.length], Float32Array.from(values));
  }

  integers(values: number[]): Value {
    return this.constant([values.length], BigInt64Array.from(values.map(BigInt)));
  }

  /** A list of sizes as an int64 tensor: a constant when all are numbers, else an input filled at run time. */
  sizes(dims: Shape): Value {
    const numbers = dims.filter((dim) => typeof dim === 'number');
    if (numbers.length === dims.length) return this.integers(numbers);
    if (this.outer) return this.outer.sizes(dims);
    const name = `sizes:${dims.map(showDim).join(',')}`;
    if (!this.shapeInputs.has(name)) this.shapeInputs.set(name, dims);
    return new Value(this, name, 'int64', [dims.length], false);
  }

  /** Appends one ONNX operator, unrecorded. Differentiable code goes through `operation`. */
  node(
    operator: string,
    inputs: readonly (Value | null)[],
    outputs: readonly OutputSpec[],
    attributes: Record<string, Attribute> = {},
    domain: '' | 'com.microsoft' = '',
  ): Value[] {
    const id = `${this.prefix}${operator}_${this.nodes.length}`;
    const tracked = inputs.some((input) => input?.tracked);
    const values = outputs.map(
      ({ shape, type = 'float32' }, i) =>
        new Value(this, `${id}_${i}`, type, shape, tracked && type === 'float32'),
    );
    this.intermediates.push(...values);
    this.nodes.push({
      opType: operator,
      domain,
      name: id,
      input: inputs.map((input) => input?.name ?? ''),
      output: values.map((value) => value.name),
      attribute: Object.entries(attributes).map(([name, value]) => encodeAttribute(name, value)),
    });
    return values;
  }

  /** What `body` emits, with a tape of its own instead of the graph's. */
  record<Result>(body: () => Result): { result: Result; tape: readonly TapeEntry[] } {
    const outer = this.tape;
    this.tape = [];
    try {
      return { result: body(), tape: this.tape };
    } finally {
      this.tape = outer;
    }
  }

  /** From here on all nodes belong to the backward pass. */
  beginBackward(): void {
    this.backwardStart = this.nodes.length;
  }

  /** Bytes of what the forward pass makes and the backward pass reads; 0 without one. */
  keptBytes(): Dim {
    /** A reshaped tensor is where it was before. */
    const origins = new Map<string, string>();
    const kept = new Set<string>();
    const made = new Set<string>();
    this.nodes.forEach(({ opType, input, output }, i) => {
      const origin = (name: string) => origins.get(name) ?? name;
      if (opType === 'Reshape') origins.set(output![0]!, origin(input![0]!));
      if (i < this.backwardStart) for (const name of output!) made.add(name);
      else for (const name of input!) if (made.has(origin(name))) kept.add(origin(name));
    });
    return sum(
      ...this.intermediates
        .filter(({ name }) => kept.has(name))
        .map(({ type, shape }) => product(elementBytes[type], ...shape)),
    );
  }

  /**
   * Runs `body` for each entry along the first axis of `inputs`, one after the other. `states` go from entry to entry:
   * the body gets them after the slices and returns the next ones first. Returns the last states, then what else the
   * body returned, stacked. The body may use values of this graph. Unrecorded, like `node`.
   */
  scan(
    inputs: readonly Value[],
    body: (slices: readonly Value[], states: readonly Value[]) => readonly Value[],
    states: readonly Value[] = [],
  ): Value[] {
    const inner = new Graph(this.device, this, `${this.prefix}scan_${this.nodes.length}_`);
    const port = (kind: string, { type }: Value, i: number, shape: Shape) => {
      const value = new Value(inner, `${inner.prefix}${kind}_${i}`, type, shape, false);
      inner.inputs.push(value);
      return value;
    };
    const before = states.map((state, i) => port('state', state, i, state.shape));
    const slices = inputs.map((input, i) => port('input', input, i, input.shape.slice(1)));
    const results = body(slices, before);
    results.forEach((result, i) => inner.output(`${inner.prefix}output_${i}`, result));
    const steps = inputs[0]!.shape[0]!;
    const outputs = results.map(({ shape, type }, i) => ({
      shape: i < states.length ? shape : [steps, ...shape],
      type,
    }));
    return this.node('Scan', [...states, ...inputs], outputs, {
      body: { graph: inner.proto() },
      num_scan_inputs: inputs.length,
    });
  }

  /** What callers get, under a name of its own; `stays`: as in `staying`. */
  output(name: string, value: Value, stays = false): void {
    if (stays) this.staying.push(name);
    this.nodes.push({ opType: 'Identity', name: `output:${name}`, input: [value.name], output: [name] });
    this.outputs.push(new Value(this, name, value.type, value.shape, false));
  }

  private proto(): Onnx.IGraphProto {
    const port = ({ name, type, shape }: Value) => encodePort(name, type, shape);
    const sizes = [...this.shapeInputs].map(([name, dims]) => encodePort(name, 'int64', [dims.length]));
    return {
      name: `${this.prefix}policy`,
      node: this.nodes,
      input: [...this.inputs.map(port), ...sizes],
      // With every shape known, if only by symbols, buffers are planned for reuse (and planned in linear time).
      valueInfo: this.intermediates.map(port),
      output: this.outputs.map(port),
      initializer: this.initializers,
    };
  }

  /** The ONNX model (opset 21), without the data of `externalData`. */
  encode(): Uint8Array {
    return onnx.ModelProto.encode({
      irVersion: 10,
      opsetImport: [
        { domain: '', version: 21 },
        { domain: 'com.microsoft', version: 1 },
      ],
      graph: this.proto(),
    }).finish();
  }
}

/** One ONNX operator with one output in the graph of its inputs. */
export function emit(
  operator: string,
  inputs: readonly Value[],
  shape: Shape,
  attributes: Record<string, Attribute> = {},
  domain: '' | 'com.microsoft' = '',
): Value {
  return inputs[0]!.graph.node(operator, inputs, [{ shape }], attributes, domain)[0]!;
}

/** The same tensor, as a constant: no gradient flows through it. */
export function stopGradient(value: Value): Value {
  return new Value(value.graph, value.name, value.type, value.shape, false);
}

/** The number of elements. */
export const elements = (shape: Shape): Dim => product(...shape);

/** Throws when a value has not the shape an operation needs. */
export function expectShape(value: Value, shape: Shape, role: string): void {
  if (!sameShape(value.shape, shape))
    throw new Error(`${role} '${value.name}' is ${showShape(value.shape)}, needs ${showShape(shape)}`);
}
