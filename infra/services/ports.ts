import { createServer } from 'node:net';

export const loopback = '127.0.0.1';

/** The first of these ports that is free on the loopback address, else any free one. */
export async function freePort(preferred: number[]): Promise<number> {
  for (const port of preferred) {
    const free = await tryListen(port);
    if (free !== null) return free;
  }
  const any = await tryListen(0);
  if (any === null) throw new Error('The system has no free port');
  return any;
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
