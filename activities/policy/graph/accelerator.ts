import { InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node';
import type { DeviceKind } from '../../../workflows/contract/config.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { symbol } from './dims.ts';
import { Graph } from './graph.ts';

export type AcceleratorKind = Exclude<DeviceKind, 'cpu'>;

/** What to do when a device is not there. */
const remedies: Record<AcceleratorKind, string> = {
  webgpu:
    'it needs a GPU with a driver (on Linux for Vulkan: `vulkaninfo` must list the GPU), or a software Vulkan ' +
    '(docs/devices.md)',
  cuda:
    'it needs an NVIDIA GPU, CUDA 12 with cuDNN 9, and the provider, which ' +
    '`npm rebuild onnxruntime-node --ignore-scripts=false` downloads (docs/devices.md)',
};

type SessionOptions = InferenceSession.SessionOptions;

/** Single-precision numbers in the memory of an accelerator. */
export class Held {
  readonly #tensor: Tensor;

  constructor(tensor: Tensor) {
    this.#tensor = tensor;
  }

  get length(): number {
    return this.#tensor.size;
  }

  /** The same memory under a shape. */
  shaped(dims: readonly number[]): Tensor {
    return Tensor.fromGpuBuffer(this.#tensor.gpuBuffer, { dataType: 'float32', dims: [...dims] });
  }

  /** Gives the memory back at once. Otherwise it goes with the object, of whose weight V8 knows nothing. */
  release(): void {
    this.#tensor.dispose();
  }
}

/** A GPU that programs run on. Nodes its provider has no kernel for run on the processor, inside the session. */
export class Accelerator {
  readonly #held = new WeakMap<Float32Array, Held>();

  private constructor(
    readonly kind: AcceleratorKind,
    /** Gives what it is fed, as a tensor of the device. */
    private readonly copying: InferenceSession,
  ) {}

  /** Throws `DeviceUnavailable`, which says why and what to do. */
  static async open(kind: AcceleratorKind): Promise<Accelerator> {
    const unavailable = (why: string, options?: ErrorOptions) =>
      new TypedFailure(
        'DeviceUnavailable',
        `device '${kind}' cannot be used here: ${why}. Configure device 'cpu', or mend it: ${remedies[kind]}`,
        options,
      );
    if (!listSupportedBackends().some(({ name }) => name === kind))
      throw unavailable(`ONNX Runtime has no provider for it on ${process.platform} ${process.arch}`);
    const graph = new Graph(kind);
    graph.output('copy', graph.input('array', 'float32', [symbol('N')]));
    try {
      const copying = await InferenceSession.create(graph.encode(), sessionOptions(kind, ['copy']));
      await copying.run({ array: new Tensor('float32', [0], [1]) });
      return new Accelerator(kind, copying);
    } catch (error) {
      throw unavailable(reasonOf(error), { cause: error });
    }
  }

  /** How sessions are opened; those of their outputs that `stay` do so where `holds`. */
  sessionOptions(stay: readonly string[]): SessionOptions {
    return sessionOptions(this.kind, stay);
  }

  /** JavaScript can hold on to the device's memory (not on CUDA, in ONNX Runtime 1.30). */
  get holds(): boolean {
    return this.kind === 'webgpu';
  }

  /**
   * An array in the device's memory. It is sent there once, however many programs are fed it, so its numbers must not
   * change.
   */
  async hold(array: Float32Array): Promise<Held> {
    const known = this.#held.get(array);
    if (known) return known;
    const { copy } = await this.copying.run({ array: new Tensor('float32', array, [array.length]) });
    const held = new Held(copy as Tensor);
    this.#held.set(array, held);
    return held;
  }
}

function sessionOptions(kind: AcceleratorKind, stay: readonly string[]): SessionOptions {
  return {
    executionProviders: [kind],
    // Lest every session warn of the nodes that run on the processor.
    logSeverityLevel: 3,
    ...(kind === 'webgpu' && stay.length > 0
      ? { preferredOutputLocation: Object.fromEntries(stay.map((name) => [name, 'gpu-buffer'])) }
      : {}),
  };
}

/** What ONNX Runtime says, without where in its code it says it. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^.* was false\. /s, '').trim();
}
