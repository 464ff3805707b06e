import { emit, Graph, type Value } from '../activities/policy/graph/graph.ts';
import { gemm } from '../activities/policy/graph/ops/linear.ts';
import { reshape } from '../activities/policy/graph/ops/shape.ts';
import { Program } from '../activities/policy/graph/program.ts';
import { arrangeWeights, type ModelWeights } from '../activities/policy/model/programs.ts';
import { adapterShapes, modules } from '../activities/policy/weights/adapter.ts';
import { openCheckpoint } from '../activities/policy/weights/checkpoint.ts';
import type { BatchShape } from './batch.ts';
import { lora, seconds, type Bench } from './bench.ts';
import type { Contender } from './compare.ts';

/*
 * What the necessary matrix products alone would take, with the same library, weights, shapes and threads, and nothing
 * else: no softmax, no elementwise work, no sampling, no copies. Of attention the products count whose results causality
 * lets through. Nobody can be faster without fewer or cheaper products.
 */

/**
 * Tokens a second of decoding `rows` rollouts of one prompt in step, each after so many tokens, with packed weights as
 * decoding has them.
 */
export async function decodeRoof(
  bench: Bench,
  { rows, prompt, generated }: { rows: number; prompt: number; generated: number },
): Promise<Contender> {
  const weights = await weightsOf(bench);
  const products = new Products(weights, 'packed');
  for (const name of linears(weights)) products.forward(name, rows);
  for (const [name, [out, width]] of adapterShapes(weights.config, lora))
    products.multiply(name, [rows, width], [out, width], { transposeB: true });
  products.forward('model.embed_tokens.weight', rows);
  const { layers, heads, keyValueHeads: kv } = weights.config;
  const repeats = heads / kv;
  for (let layer = 0; layer < layers; layer++) {
    products.attend(`prompt ${layer}`, kv, rows * repeats, prompt, 1);
    products.attend(`generated ${layer}`, kv * rows, repeats, generated, 1);
  }
  return contender(await products.compile(bench.threads), rows);
}

/**
 * Tokens a second of one forward and backward pass over a group, whose completions are predicted: each linear forward
 * and for the gradient of its input, six small products for each LoRA pair, the head both ways, and the six of attention.
 */
export async function trainingRoof(
  bench: Bench,
  { prompt, completions, completion }: Omit<BatchShape, 'groups'>,
): Promise<Contender> {
  const scored = completions * completion;
  const rows = prompt + scored;
  const weights = await weightsOf(bench);
  const products = new Products(weights, 'fed');
  for (const name of linears(weights)) {
    products.forward(name, rows);
    products.backward(name, rows);
  }
  for (const [name, [out, width]] of adapterShapes(weights.config, lora)) {
    products.multiply(`${name} forward`, [rows, width], [out, width], { transposeB: true });
    products.multiply(`${name} input`, [rows, out], [out, width]);
    products.multiply(`${name} weight`, [rows, out], [rows, width], { transposeA: true });
  }
  products.forward('model.embed_tokens.weight', scored);
  products.backward('model.embed_tokens.weight', scored);
  const { layers, heads, keyValueHeads: kv } = weights.config;
  const repeats = heads / kv;
  // Causality hides half of a square.
  const half = (size: number) => Math.ceil(size / 2);
  for (let layer = 0; layer < layers; layer++) {
    products.attend(`prompt ${layer}`, kv, repeats * prompt, half(prompt), 3);
    products.attend(`shared ${layer}`, kv, repeats * scored, prompt, 3);
    products.attend(`own ${layer}`, kv * completions, repeats * completion, half(completion), 3);
  }
  return contender(await products.compile(bench.threads), rows);
}

function contender(program: Program, tokens: number): Contender {
  return {
    name: 'roof: the necessary products alone',
    bound: true,
    measure: async () => tokens / (await seconds(() => program.run({}, {}))),
    close: () => program.release(),
  };
}

async function weightsOf({ modelPath }: Bench): Promise<ModelWeights> {
  return arrangeWeights(await openCheckpoint(modelPath));
}

function linears({ config }: ModelWeights): string[] {
  return Array.from({ length: config.layers }, (_, layer) =>
    Object.values(modules).map((module) => `model.layers.${layer}.${module}.weight`),
  ).flat();
}

/** A graph of matrix products that have nothing to do with each other. */
class Products {
  readonly #graph = new Graph();
  readonly #fed: Record<string, Float32Array> = {};
  readonly #values = new Map<string, Value>();
  #multiplied = 0;

  constructor(
    readonly weights: ModelWeights,
    readonly placement: 'packed' | 'fed',
  ) {}

  /** x Wᵀ */
  forward(name: string, rows: number): void {
    const { shape } = this.weights.tensors[name]!;
    this.#keep(
      `${name} forward`,
      gemm(this.#array(rows, shape[1]!), this.#weight(name), { transposeB: true }),
    );
  }

  /** dy W */
  backward(name: string, rows: number): void {
    const { shape } = this.weights.tensors[name]!;
    this.#keep(`${name} backward`, gemm(this.#array(rows, shape[0]!), this.#weight(name)));
  }

  multiply(
    name: string,
    a: [number, number],
    b: [number, number],
    options: Parameters<typeof gemm>[2] = {},
  ): void {
    // Another scale for each, lest equal products of equal arrays be made only once.
    const scale = 1 + ++this.#multiplied * 1e-6;
    this.#keep(name, gemm(this.#array(...a), this.#array(...b), { ...options, scale }));
  }

  /** `times` pairs of products as attention has them: queries [batch, rows, D] with keys [batch, count, D], and back. */
  attend(name: string, batch: number, rows: number, count: number, times: number): void {
    const { headDim } = this.weights.config;
    const queries = this.#batched(batch, rows, headDim);
    const keys = this.#batched(batch, count, headDim);
    const scores = this.#batched(batch, rows, count);
    for (let time = 0; time < times; time++) {
      const alpha = { float: 1 + ++this.#multiplied * 1e-6 };
      const there = emit('FusedMatMul', [queries, keys], scores.shape, { transB: 1, alpha }, 'com.microsoft');
      const back = emit('FusedMatMul', [scores, keys], queries.shape, { alpha }, 'com.microsoft');
      this.#keep(`${name} there ${time}`, reshape(there, [batch * rows, count]));
      this.#keep(`${name} back ${time}`, reshape(back, [batch * rows, headDim]));
    }
  }

  compile(threads: number): Promise<Program> {
    return Program.create(this.#graph, { threads }, this.#fed);
  }

  /** One row of a product is enough to need all of it, and costs nothing to hand out. */
  #keep(name: string, product: Value): void {
    const row = this.#graph.integers([0]);
    const [kept] = this.#graph.node('Gather', [product, row], [{ shape: [1, product.shape[1]!] }], {
      axis: 0,
    });
    this.#graph.output(`${name}:row`, kept!);
  }

  #weight(name: string): Value {
    const { shape, data } = this.weights.tensors[name]!;
    return this.#held(name, shape, data, this.placement);
  }

  #batched(batch: number, rows: number, width: number): Value {
    return reshape(this.#array(batch * rows, width), [batch, rows, width]);
  }

  #array(rows: number, width: number): Value {
    const data = () => Float32Array.from({ length: rows * width }, (_, i) => ((i * 37) % 101) / 101 - 0.5);
    return this.#held(`${rows} × ${width}`, [rows, width], data, 'fed');
  }

  #held(
    name: string,
    shape: readonly number[],
    data: Float32Array | (() => Float32Array),
    placement: 'packed' | 'fed',
  ): Value {
    const known = this.#values.get(name);
    if (known) return known;
    const numbers = typeof data === 'function' ? data() : data;
    if (placement === 'fed') this.#fed[name] = numbers;
    const value =
      placement === 'fed'
        ? this.#graph.input(name, 'float32', shape)
        : this.#graph.weight(name, shape, numbers);
    this.#values.set(name, value);
    return value;
  }
}
