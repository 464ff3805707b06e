import http from 'node:http';
import https from 'node:https';

/** Longest that one request may take, its body included. */
const requestMs = 120_000;

/**
 * What minio-js sends its requests with. It sets no deadline of its own, so a server that accepts connections and
 * says nothing would hang a step for ever; here every request ends (invariant 7).
 *
 * @param silenceMs longest silence on a connection, from before it is made to the last byte
 */
export function deadlineTransport(useSSL: boolean, silenceMs = 10_000): Pick<typeof http, 'request'> {
  const { request } = useSSL ? https : http;
  const agent = useSSL ? new https.Agent({ keepAlive: true }) : new http.Agent({ keepAlive: true });
  const send = (options: https.RequestOptions, onResponse?: (response: http.IncomingMessage) => void) => {
    const sent = request(
      { ...options, agent, timeout: silenceMs, signal: AbortSignal.timeout(requestMs) },
      onResponse,
    );
    sent.on('timeout', () => {
      const { socket } = sent;
      const reached = () => String([socket?.connecting, socket?.bytesRead, socket?.bytesWritten]);
      const before = reached();
      // Was it us who were busy all the time? What has arrived by then is read first.
      setImmediate(() => {
        if (reached() === before)
          sent.destroy(Object.assign(new Error(`silent for ${silenceMs / 1000} s`), { code: 'ETIMEDOUT' }));
      });
    });
    return sent;
  };
  return { request: send as typeof http.request };
}
