#!/usr/bin/env node
/**
 * Entry of every command: installs the dependencies when they are missing or out of date, then runs
 * `client/main.ts`, or the script after `--script`, with the arguments that follow. Plain JavaScript without
 * dependencies, so that it runs in a fresh clone. Everything it says goes to stderr; stdout is the command's own.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { withLock } from './lock.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function fail(sentence) {
  console.error(`reiterate: ${sentence}`);
  process.exit(1);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 3))
    fail(`Node.js 20.3 or newer is needed, this is ${process.version}; install it from https://nodejs.org.`);
}

/** npm writes node_modules/.package-lock.json last, and in it what it installed; compare with what is asked for. */
function installed() {
  const wanted = packagesOf(join(root, 'package-lock.json'));
  const present = packagesOf(join(root, 'node_modules/.package-lock.json'));
  if (wanted === null) fail(`${join(root, 'package-lock.json')} is missing; clone the project again.`);
  if (present === null) return false;
  return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    const found = present[path];
    if (path === '') return true;
    if (found === undefined) return optional === true; // Made for another platform.
    return found.version === version && found.integrity === integrity;
  });
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return null;
    throw error;
  }
}

async function install() {
  console.error('reiterate: installing dependencies (npm ci)');
  const started = Date.now();
  const npm = spawn('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  const stop = (signal) => npm.kill(signal);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, stop);
  const [code, signal] = await new Promise((settle) => {
    npm.on('error', (error) => settle([error.code, null]));
    npm.on('exit', (...end) => settle(end));
  });
  for (const name of signals) process.off(name, stop);
  if (code === 'ENOENT') fail('npm is not on PATH; install Node.js with npm from https://nodejs.org.');
  if (signal !== null) process.exit(130);
  if (code !== 0)
    fail(
      `npm ci ended with code ${code}; see its message above, make sure the npm registry can be reached ` +
        `(npm ping), and try again.`,
    );
  console.error(`reiterate: dependencies installed in ${Math.round((Date.now() - started) / 1000)} s`);
}

checkNode();
if (!installed()) {
  const options = {
    deadlineMs: 15 * 60_000,
    onWait: (owner) => console.error(`reiterate: ${owner} is installing the dependencies; waiting`),
  };
  await withLock(join(root, '.install.lock'), options, async () => {
    if (!installed()) await install();
  }).catch((error) => fail(error.message));
}

const [first, second, ...others] = process.argv.slice(2);
const [script, args] =
  first === '--script'
    ? [resolve(root, second), others]
    : [join(root, 'client/main.ts'), process.argv.slice(2)];

// Not through tsx's own command line: that one kills a child with SIGKILL when it is too busy to acknowledge a
// signal within 60 ms, and a worker must drain.
const [, minorVersion] = process.versions.node.split('.').map(Number);
const hooks = process.version.startsWith('v20.') && minorVersion < 6 ? '--loader' : '--import';
const tsx = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href;
// From before there is a child, which would else outlive us. At a terminal Ctrl-C reaches the child by itself; sent
// twice, it would look like a second, impatient one.
process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
const child = spawn(process.execPath, [hooks, tsx, script, ...args], {
  stdio: 'inherit',
  env: { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') },
});
child.on('error', (error) => fail(`Node.js cannot be started: ${error.message}`));
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
