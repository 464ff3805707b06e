import { TypedFailure } from '../../../workflows/contract/failures.ts';

/** How ONNX Runtime, C++, V8 for its buffers and V8 for its heap say it, in this order: none has a type or a code for it. */
const signs =
  /Failed to allocate memory|bad_alloc|Array buffer allocation failed|JavaScript heap out of memory/i;

/** Whether an error, or a line that a dying process printed, is about memory. */
export function saysOutOfMemory(text: string): boolean {
  return signs.test(text);
}

export function outOfMemory(said: string): TypedFailure {
  return new TypedFailure(
    'EngineOutOfMemory',
    `the engine ran out of memory; the next call starts a new one. When it happens again, lower ` +
      `training.tokensPerMicroBatch (updates), sampling.promptsPerShard or sampling.maxNewTokens (sampling), or give ` +
      `the worker more memory. It said: ${said}`,
  );
}
