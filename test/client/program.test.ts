import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from 'commander';
import { createProgram } from '../../client/program.ts';

/** Help as printed, what `addHelpText` added included. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

test('every command has a description, an example and --json, and its help fits 80 columns', () => {
  const program = createProgram();
  const commands = leaves(program);
  assert.equal(commands.length, 27);
  for (const command of [program, ...commands]) {
    const help = helpOf(command);
    for (const line of help.split('\n')) assert.ok(line.length <= 80, `${command.name()}: ${line}`);
    assert.notEqual(command.description(), '', command.name());
    if (command === program) continue;
    assert.match(help, /^Example: (eval "\$\()?reiterate /m, command.name());
    assert.match(help, /^ {2}--json /m, command.name());
  }
});

test('every command is in the help of the whole', () => {
  const program = createProgram();
  const help = helpOf(program);
  for (const name of 'demo up down status env worker start watch runs show pause resume stop inspect report evaluate improve ablation policy'.split(
    ' ',
  ))
    assert.match(help, new RegExp(`^  ${name} `, 'm'));
});
