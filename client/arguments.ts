import { InvalidArgumentError } from 'commander';

/** Parser of `--id`: a name that is easy to type, to quote, and to find in the bucket. */
export function runName(text: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text))
    throw new InvalidArgumentError(
      'A name has up to 64 letters, digits, and . _ - and begins with a letter or digit.',
    );
  return text;
}

/** Parser of options that take a whole number from 0 on. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It takes a whole number ≥ 0.');
  return Number(text);
}

/** Parser of options that take a temperature. */
export function temperatureNumber(text: string): number {
  const value = Number(text);
  if (!(value >= 0) || !Number.isFinite(value)) throw new InvalidArgumentError('It takes a number ≥ 0.');
  return value;
}

/** Parser of options that take a share. */
export function shareNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError('It takes a number above 0, at most 1.');
  return value;
}

/** Parser of options that take a whole number from 1 on. */
export function countingNumber(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('It takes a whole number ≥ 1.');
  return value;
}

/** Parser of options that may be repeated: every value, in order. */
export function repeated(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
