import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { InfraProblem } from '../problem.ts';

/** The file an environment variable names, checked; null when the variable is not set. */
export async function givenFile(variable: string, mode: 'readable' | 'executable'): Promise<string | null> {
  const value = process.env[variable];
  if (value === undefined || value === '') return null;
  const file = resolve(value);
  await access(file, mode === 'readable' ? constants.R_OK : constants.X_OK).catch(() => {
    throw new InfraProblem(
      `${variable} is ${value}, which is not a file that is ${mode}; set it right or unset it.`,
    );
  });
  return file;
}
