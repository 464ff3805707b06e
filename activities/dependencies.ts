import type { Client } from '@temporalio/client';
import type { EmbedderName, RunConfig } from '../workflows/contract/config.ts';
import type { Store } from './artifacts/store.ts';
import type { OpenDomain } from './domains/domain.ts';
import type { GraderPool } from './domains/grader/pool.ts';
import type { Device, EmbedderFiles, Tokenizer } from './policy/policy.ts';

/** What the activities work with; the worker puts it together. */
export interface Dependencies {
  store: Store;
  /** The engine that a configuration asks for, started when first used. */
  device: (config: Pick<RunConfig, 'model' | 'device' | 'threads'>) => Promise<Device>;
  tokenizer: (model: string) => Promise<Tokenizer>;
  /** Fails with `EmbedderUnavailable`. */
  embedder: (name: EmbedderName) => Promise<EmbedderFiles>;
  openDomain: OpenDomain;
  graders: GraderPool;
  client: Client;
  /** What the machine and the software are, for the `observed` half of manifests. */
  environment: { host: string; processor: string; versions: Record<string, string> };
}
