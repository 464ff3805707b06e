import { CommanderError } from 'commander';
import { describeError, exitCodeOf, exitCodes } from './exit.ts';
import { createProgram } from './program.ts';

// `reiterate runs | head` closes our stdout early: whoever reads has what they wanted.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(exitCodes.ok);
});

/** The `reiterate` command. Results go to stdout, notes and progress to stderr; exit codes are in `exit.ts`. */
try {
  await createProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  } else {
    process.stderr.write(`reiterate: ${describeError(error, Boolean(process.env['REITERATE_DEBUG']))}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
