import { TypedFailure } from '../../../workflows/contract/failures.ts';

/**
 * How ONNX Runtime says it, of arrays and of threads, then C++, V8 of its buffers, of its heap and of all else: none has
 * a type or a code for it.
 */
const signs =
  /Failed to allocate memory|pthread_create failed|bad_alloc|Array buffer allocation failed|JavaScript heap out of memory|process out of memory/i;

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
