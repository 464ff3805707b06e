import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/**
 * A Python program of `peers/` that has loaded its model and answers one request at a time, so that measurements
 * of several programs can take turns.
 */
export class Peer {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #lastWords: string[] = [];
  #library = '';

  private constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.#child = child;
    this.#answers = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    createInterface({ input: child.stderr! }).on('line', (line) => {
      this.#lastWords.push(line);
      if (this.#lastWords.length > 8) this.#lastWords.shift();
    });
  }

  /** Starts `peers/<script>` and waits until it says that it is ready; an Error quotes what it said instead. */
  static async start(python: string, script: string, args: (string | number)[]): Promise<Peer> {
    const file = fileURLToPath(new URL(`peers/${script}`, import.meta.url));
    const child = spawn(python, [file, ...args.map(String)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    });
    const peer = new Peer(script, child);
    await once(child, 'spawn');
    try {
      peer.#library = ((await peer.#answer()) as { library: string }).library;
    } catch (error) {
      await peer.stop();
      throw error;
    }
    return peer;
  }

  get processId(): number | null {
    return this.#child.pid ?? null;
  }

  /** What it computes with, in its own words: matrix library and instructions. */
  get library(): string {
    return this.#library;
  }

  async ask<T>(request: object): Promise<T> {
    this.#child.stdin!.write(JSON.stringify(request) + '\n');
    return (await this.#answer()) as T;
  }

  async #answer(): Promise<unknown> {
    const { value, done } = await this.#answers.next();
    if (!done) return JSON.parse(value);
    throw new Error(`${this.#name} ended: ${this.#lastWords.join('\n')}`);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }
}
