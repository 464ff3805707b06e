import { InferenceSession, type Tensor } from 'onnxruntime-node';
import { openEngine } from '../../../activities/policy/engine/engine.ts';
import type { OperationCall } from '../../../activities/policy/engine/protocol.ts';

/**
 * `crossings.ts MODEL`: samples on WebGPU and prints, as JSON, how many bytes went from this process to the GPU and back
 * in the first and in the second of two equal calls.
 */
const sent: number[] = [];
const { create } = InferenceSession;
InferenceSession.create = async (...args: unknown[]) => {
  const session = await (create as (...args: unknown[]) => Promise<InferenceSession>)(...args);
  const run = session.run.bind(session) as (feeds: Record<string, Tensor>) => Promise<Record<string, Tensor>>;
  session.run = async (feeds: Record<string, Tensor>) => {
    const results = await run(feeds);
    for (const tensor of [...Object.values(feeds), ...Object.values(results)])
      if (tensor.location === 'cpu') sent.push((tensor.data as Float32Array).byteLength);
    return results;
  };
  return session;
};

const quiet = async () => undefined;
const engine = await openEngine(process.argv[2]!, 'webgpu', 1, quiet);
const call: OperationCall = {
  operation: 'generate',
  input: {
    policy: null,
    prompts: [
      { tokenIds: [5, 6, 7, 8, 9], keys: ['0000000000000001', '0000000000000002'] },
      { tokenIds: [5, 6, 40], keys: ['0000000000000003', '0000000000000004'] },
    ],
    options: { maxNewTokens: 20, temperature: 1, topK: null, topP: null, stopStrings: [] },
  },
};
const blob = () => Promise.reject(new Error('there is no adapter'));
const totals: number[] = [];
for (let time = 0; time < 2; time++) {
  await engine.perform(call, { blob, keep: () => undefined, betweenSteps: quiet });
  totals.push(sent.splice(0).reduce((total, bytes) => total + bytes, 0));
}
console.log(JSON.stringify({ totals, parameters: engine.checkpoint.parameters }));
