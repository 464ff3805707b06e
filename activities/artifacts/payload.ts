import { TypedFailure } from '../../workflows/contract/failures.ts';

/** Most bytes of one value that may travel through Temporal. */
export const payloadLimitBytes = 64 * 1024;

/**
 * Temporal keeps every payload in the history for as long as the history lives; a result over 2 MiB is refused and
 * the step repeated again and again. So a step stops here first, for good.
 *
 * @param what the value's name, for the message.
 * @throws `PayloadsTooLarge`
 */
export function assertSmall(value: unknown, what: string): void {
  const bytes = Buffer.byteLength(JSON.stringify(value) ?? '');
  if (bytes > payloadLimitBytes)
    throw new TypedFailure(
      'PayloadsTooLarge',
      `${what} has ${bytes} bytes, more than ${payloadLimitBytes}: put it into the artifact store and pass its Ref.`,
    );
}
