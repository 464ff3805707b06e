import { createHash } from 'node:crypto';
import { closeSync, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { Checkpoint, ModelConfig, Tensor } from './checkpoint.ts';
import { dequantise, formats, unreadFormats } from './dequantise.ts';
import type { Format } from './dequantise.ts';
import { readGgufHeader } from './ggufHeader.ts';
import type { GgufHeader, GgufTensor } from './ggufHeader.ts';

const layerTensors: Record<string, string> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};
const otherTensors: Record<string, string> = {
  'token_embd.weight': 'model.embed_tokens.weight',
  'output_norm.weight': 'model.norm.weight',
  'output.weight': 'lm_head.weight',
};

/** GGUF's name of a tensor → Hugging Face's; undefined when this project's models have no such tensor. */
function huggingFaceName(name: string): string | undefined {
  const [, layer, part] = /^blk\.(\d+)\.(\w+)\.weight$/.exec(name) ?? [];
  if (layer === undefined || part === undefined) return otherTensors[name];
  const inLayer = layerTensors[part];
  return inLayer && `model.layers.${layer}.${inLayer}.weight`;
}

/** Every tensor a model of this shape has, by Hugging Face name. */
function expectedShapes(config: ModelConfig): Map<string, number[]> {
  const { hidden, intermediate, vocabulary, headDim } = config;
  const queries = config.heads * headDim;
  const keys = config.keyValueHeads * headDim;
  const inLayer: Record<string, number[]> = {
    input_layernorm: [hidden],
    'self_attn.q_proj': [queries, hidden],
    'self_attn.k_proj': [keys, hidden],
    'self_attn.v_proj': [keys, hidden],
    'self_attn.o_proj': [hidden, queries],
    post_attention_layernorm: [hidden],
    'mlp.gate_proj': [intermediate, hidden],
    'mlp.up_proj': [intermediate, hidden],
    'mlp.down_proj': [hidden, intermediate],
  };
  const shapes = new Map([
    ['model.embed_tokens.weight', [vocabulary, hidden]],
    ['model.norm.weight', [hidden]],
  ]);
  if (!config.tiedHead) shapes.set('lm_head.weight', [vocabulary, hidden]);
  for (let layer = 0; layer < config.layers; layer++)
    for (const [part, shape] of Object.entries(inLayer))
      shapes.set(`model.layers.${layer}.${part}.weight`, shape);
  return shapes;
}

function readConfig(header: GgufHeader): ModelConfig {
  const refuse = (reason: string): never => {
    throw new TypedFailure('ModelUnavailable', `${header.path}: ${reason}`);
  };
  const architecture = header.text('general.architecture');
  if (architecture !== 'llama') refuse(`architecture '${architecture}' is not supported; supported: llama`);
  const number = (key: string) => header.number(`llama.${key}`);
  const numberOr = (key: string, otherwise: number) => (header.has(`llama.${key}`) ? number(key) : otherwise);

  if (numberOr('expert_count', 0) > 0) refuse('mixtures of experts are not supported');
  if (header.has('llama.rope.scaling.type') && header.text('llama.rope.scaling.type') !== 'none')
    refuse(`rotary scaling '${header.text('llama.rope.scaling.type')}' is not supported`);
  if (header.has('split.count') && header.number('split.count') > 1)
    refuse('it is one part of a split model: merge the parts with llama-gguf-split --merge');

  const embedding =
    header.tensors.find(({ name }) => name === 'token_embd.weight') ??
    refuse('tensor token_embd.weight is missing');
  const hidden = number('embedding_length');
  const heads = number('attention.head_count');
  const headDim = numberOr('attention.key_length', hidden / heads);
  if (numberOr('rope.dimension_count', headDim) !== headDim)
    refuse('rotary embedding of a part of each head is not supported');
  return {
    family: 'llama',
    hidden,
    intermediate: number('feed_forward_length'),
    layers: number('block_count'),
    heads,
    keyValueHeads: numberOr('attention.head_count_kv', heads),
    headDim,
    vocabulary: embedding.shape[0] ?? 0,
    ropeTheta: numberOr('rope.freq_base', 10_000),
    normEpsilon: number('attention.layer_norm_rms_epsilon'),
    contextLength: number('context_length'),
    tiedHead: !header.tensors.some(({ name }) => name === 'output.weight'),
  };
}

interface Located extends GgufTensor {
  format: Format;
  weights: number;
  bytes: number;
}

/** Checks that a tensor has a readable type and that all its bytes are in the file. */
function locate(header: GgufHeader, tensor: GgufTensor): Located {
  const format = formats.get(tensor.type);
  if (!format) {
    const type = unreadFormats[tensor.type] ?? `number ${tensor.type}`;
    const known = [...formats.values()].map(({ name }) => name).join(', ');
    throw new TypedFailure(
      'ModelUnavailable',
      `${header.path}: tensor ${tensor.name} has type ${type}, which is not supported; supported: ${known}`,
    );
  }
  const weights = tensor.shape.reduce((product, size) => product * size, 1);
  if ((tensor.shape.at(-1) ?? 1) % format.weights !== 0)
    throw new TypedFailure(
      'ModelUnavailable',
      `${header.path}: tensor ${tensor.name} [${tensor.shape}] is not whole blocks of ${format.name}`,
    );
  const bytes = (weights / format.weights) * format.bytes;
  const present = Math.max(0, Math.min(bytes, header.fileBytes - tensor.offset));
  if (present < bytes)
    throw new TypedFailure(
      'ModelUnavailable',
      `${header.path} is truncated: tensor ${tensor.name} needs ${bytes} bytes, ${present} are there; ` +
        'get the file again',
    );
  return { ...tensor, format, weights, bytes };
}

/** The bytes of one tensor; refuses a file that is not the one whose hash was taken. */
function readBytes(header: GgufHeader, tensor: Located): Uint8Array {
  const file = openSync(header.path, 'r');
  try {
    const { size, mtimeMs } = fstatSync(file);
    const bytes = new Uint8Array(tensor.bytes);
    let done = 0;
    while (done < bytes.length) {
      const read = readSync(file, bytes, done, bytes.length - done, tensor.offset + done);
      if (read === 0) break;
      done += read;
    }
    if (size !== header.fileBytes || mtimeMs !== header.modifiedMs || done < bytes.length)
      throw new TypedFailure('ModelUnavailable', `${header.path} changed while it was in use: start again`);
    return bytes;
  } finally {
    closeSync(file);
  }
}

/** llama.cpp stores the rows of Q and K in interleaved rotary order (i, half); Hugging Face has (half, i). */
function toHalfSplit(tensor: Tensor, heads: number): Tensor {
  const [rows = 0, columns = 0] = tensor.shape;
  const headDim = rows / heads;
  const data = new Float32Array(tensor.data.length);
  for (let row = 0; row < rows; row++) {
    const head = Math.floor(row / headDim);
    const inHead = row - head * headDim;
    const to = head * headDim + (inHead % 2) * (headDim / 2) + (inHead >> 1);
    data.set(tensor.data.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return { shape: tensor.shape, data };
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/**
 * Opens a GGUF file of the llama family. Everything is checked here (types, shapes, that every byte is there),
 * so `tensor` fails only for a name the model does not have or a file replaced meanwhile.
 */
export async function openGguf(path: string): Promise<Checkpoint> {
  const header = await readGgufHeader(path);
  const config = readConfig(header);
  const expected = expectedShapes(config);
  const tensors = new Map<string, Located>();
  for (const tensor of header.tensors) {
    const name = huggingFaceName(tensor.name);
    const shape = name && expected.get(name);
    if (!name || !shape)
      throw new TypedFailure(
        'ModelUnavailable',
        `${path}: tensor ${tensor.name} has no place in a llama model of ${config.layers} layers`,
      );
    if (String(shape) !== String(tensor.shape))
      throw new TypedFailure(
        'ModelUnavailable',
        `${path}: tensor ${tensor.name} is [${tensor.shape}], its metadata say [${shape}]`,
      );
    tensors.set(name, locate(header, tensor));
  }
  for (const name of expected.keys())
    if (!tensors.has(name))
      throw new TypedFailure('ModelUnavailable', `${path}: the tensor for ${name} is missing`);

  return {
    config,
    name: header.has('general.name') ? header.text('general.name') : path,
    sha256: await sha256OfFile(path),
    parameters: [...tensors.values()].reduce((sum, { weights }) => sum + weights, 0),
    tensor(name) {
      const located = tensors.get(name);
      if (!located) throw new TypedFailure('ModelUnavailable', `${path} has no tensor ${name}`);
      const tensor = {
        shape: [...located.shape],
        data: dequantise(located.format, readBytes(header, located)),
      };
      if (name.endsWith('q_proj.weight')) return toHalfSplit(tensor, config.heads);
      if (name.endsWith('k_proj.weight')) return toHalfSplit(tensor, config.keyValueHeads);
      return tensor;
    },
  };
}
