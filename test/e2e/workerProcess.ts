/** A worker in a process of its own, so that tests can kill it. Sends one message when it polls. */
import { pino } from 'pino';
import { runWorker } from '../../worker.ts';
import { resolveEmbedder } from '../../infra/setup/embedder.ts';
import { resolveModel } from '../../infra/setup/model.ts';
import { testServices } from '../services.ts';

const services = await testServices();
const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());
process.once('disconnect', () => process.exit(1));
await runWorker({
  temporal: services.temporal,
  store: services.store,
  resolveModel,
  resolveEmbedder,
  log: pino({ level: process.env['REITERATE_LOG_LEVEL'] ?? 'error' }, pino.destination(2)),
  signal: stopping.signal,
  onReady: () => process.send?.('ready'),
});
process.exit(0);
