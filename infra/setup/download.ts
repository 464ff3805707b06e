import { createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { InfraProblem, type Report } from '../problem.ts';
import { verifySha256 } from './obtain.ts';

export interface Download {
  url: string;
  sha256: string;
  /** Given up when nothing arrives for this long. */
  silenceMs?: number;
}

const reportEveryMs = 5_000;

/** Downloads a URL into a file and verifies it; every way it can fail is an `InfraProblem`. */
export async function download({ url, sha256, silenceMs = 60_000 }: Download, file: string, report: Report) {
  const { host, pathname } = new URL(url);
  const silence = new AbortController();
  const giveUp = () => silence.abort();
  let timer = setTimeout(giveUp, silenceMs);
  report(`downloading ${host}${pathname}`);
  try {
    const response = await fetch(url, { signal: silence.signal });
    if (!response.ok || response.body === null) throw new InfraProblem(`${url} answered ${response.status}`);
    const totalBytes = Number(response.headers.get('content-length') ?? 0);
    let bytes = 0;
    let reportedAtMs = Date.now();
    const watch = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        clearTimeout(timer);
        timer = setTimeout(giveUp, silenceMs);
        bytes += chunk.length;
        if (Date.now() - reportedAtMs > reportEveryMs) {
          reportedAtMs = Date.now();
          report(`${megabytes(bytes)}${totalBytes > 0 ? ` of ${megabytes(totalBytes)}` : ''} MB`);
        }
        done(null, chunk);
      },
    });
    await pipeline(Readable.fromWeb(response.body), watch, createWriteStream(file), {
      signal: silence.signal,
    });
  } catch (error) {
    if (error instanceof InfraProblem) throw error;
    if (silence.signal.aborted) throw new InfraProblem(`${host} sent nothing for ${silenceMs / 1000} s`);
    throw new InfraProblem(`${host} cannot be reached (${reasonOf(error)})`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
  await verifySha256(file, sha256);
}

/** `fetch` hides the reason of a failure in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
