import { createServer } from 'node:net';

export const loopback = '127.0.0.1';

/** The first of these ports that is free on the loopback address, else any free one; never `promised`. */
export async function freePort(preferred: readonly number[], promised?: number): Promise<number> {
  // Port 0 is any free one; asked twice, because the first may be the promised one.
  for (const port of [...preferred, 0, 0]) {
    const free = await tryListen(port);
    if (free !== null && free !== promised) return free;
  }
  throw new Error('The system has no free port');
}

function tryListen(port: number): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(null);
      else reject(error);
    });
    server.listen({ port, host: loopback, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : null));
    });
  });
}
