import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { families, familyOf, isFamilyName } from '../model/families/index.ts';
import { dequantise, formats, unreadFormats } from './dequantise.ts';
import type { Format } from './dequantise.ts';
import { readGgufHeader } from './ggufHeader.ts';
import type { GgufHeader, GgufTensor } from './ggufHeader.ts';
import { checkPresent, readSpan, sha256OfFile } from './modelFile.ts';
import { matchTensors, tensorNames } from './tensors.ts';
import type { Checkpoint, ModelConfig, Tensor } from './types.ts';

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
  'token_embd.weight': tensorNames.embedding,
  'output_norm.weight': tensorNames.norm,
  'output.weight': tensorNames.head,
};
/** What a Llama of longer context divides its rotary frequencies by; part of the configuration, not a weight. */
const ropeDivisorsTensor = 'rope_freqs.weight';

/** GGUF's name of a tensor → Hugging Face's; undefined when this project's models have no such tensor. */
function huggingFaceName(name: string): string | undefined {
  const [, layer, part, kind] = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name) ?? [];
  if (layer === undefined || part === undefined) return otherTensors[name];
  const inLayer = layerTensors[part];
  return inLayer && `model.layers.${layer}.${inLayer}.${kind}`;
}

function readConfig(header: GgufHeader): ModelConfig {
  const refuse = (reason: string): never => {
    throw new TypedFailure('ModelUnavailable', `${header.path}: ${reason}`);
  };
  const architecture = header.text('general.architecture');
  if (!isFamilyName(architecture))
    return refuse(
      `architecture '${architecture}' is not supported; supported: ${Object.keys(families).join(', ')}`,
    );
  const number = (key: string) => header.number(`${architecture}.${key}`);
  const numberOr = (key: string, otherwise: number) =>
    header.has(`${architecture}.${key}`) ? number(key) : otherwise;

  if (numberOr('expert_count', 0) > 0) refuse('mixtures of experts are not supported');
  const scaling = `${architecture}.rope.scaling.type`;
  if (header.has(scaling) && header.text(scaling) !== 'none')
    refuse(
      `rotary scaling '${header.text(scaling)}' is not supported; ` +
        `supported: none, and Llama 3's, which is the tensor ${ropeDivisorsTensor}`,
    );
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
    family: architecture,
    hidden,
    intermediate: number('feed_forward_length'),
    layers: number('block_count'),
    heads,
    keyValueHeads: numberOr('attention.head_count_kv', heads),
    headDim,
    vocabulary: embedding.shape[0] ?? 0,
    ropeTheta: numberOr('rope.freq_base', 10_000),
    ropeDivisors: readRopeDivisors(header, headDim),
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
  const refuse = (reason: string): never => {
    throw new TypedFailure('ModelUnavailable', `${header.path}: tensor ${tensor.name} ${reason}`);
  };
  const format = formats.get(tensor.type);
  if (!format) {
    const type = unreadFormats[tensor.type] ?? `number ${tensor.type}`;
    const known = [...formats.values()].map(({ name }) => name).join(', ');
    return refuse(`has type ${type}, which is not supported; supported: ${known}`);
  }
  const weights = tensor.shape.reduce((product, size) => product * size, 1);
  if ((tensor.shape.at(-1) ?? 1) % format.weights !== 0)
    refuse(`[${tensor.shape}] is not whole blocks of ${format.name}`);
  const located = { ...tensor, format, weights, bytes: (weights / format.weights) * format.bytes };
  checkPresent(header, tensor.name, located);
  return located;
}

const read = (header: GgufHeader, tensor: Located): Tensor => ({
  shape: [...tensor.shape],
  data: dequantise(tensor.format, readSpan(header, tensor)),
});

function readRopeDivisors(header: GgufHeader, headDim: number): number[] | null {
  const tensor = header.tensors.find(({ name }) => name === ropeDivisorsTensor);
  if (!tensor) return null;
  if (String(tensor.shape) !== String(headDim / 2))
    throw new TypedFailure(
      'ModelUnavailable',
      `${header.path}: tensor ${tensor.name} is [${tensor.shape}], the metadata say [${headDim / 2}]`,
    );
  return [...read(header, locate(header, tensor)).data];
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

/**
 * Opens a GGUF file. Everything is checked here (types, shapes, that every byte is there), so `tensor` fails only
 * for a name the model does not have or a file replaced meanwhile.
 */
export async function openGguf(path: string): Promise<Checkpoint> {
  const header = await readGgufHeader(path);
  const config = readConfig(header);
  const listed = header.tensors
    .filter(({ name }) => name !== ropeDivisorsTensor)
    .map((tensor) => ({ ...tensor, standsFor: huggingFaceName(tensor.name) }));
  const tensors = new Map(
    [...matchTensors(path, config, listed)].map(([name, tensor]) => [name, locate(header, tensor)]),
  );
  const { interleavedInGguf } = familyOf(config);
  return {
    config,
    name: header.has('general.name') ? header.text('general.name') : path,
    sha256: await sha256OfFile(path),
    parameters: [...tensors.values()].reduce((sum, { weights }) => sum + weights, 0),
    tensor(name) {
      const located = tensors.get(name);
      if (!located) throw new TypedFailure('ModelUnavailable', `${path} has no tensor ${name}`);
      const tensor = read(header, located);
      if (interleavedInGguf && name.endsWith('q_proj.weight')) return toHalfSplit(tensor, config.heads);
      if (interleavedInGguf && name.endsWith('k_proj.weight'))
        return toHalfSplit(tensor, config.keyValueHeads);
      return tensor;
    },
  };
}
