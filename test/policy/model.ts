import { ensureModel } from '../../infra/setup/model.ts';

/** The real model's GGUF file: `REITERATE_MODEL`, else the one that set-up puts on this machine. */
export async function modelPath(): Promise<string> {
  return process.env['REITERATE_MODEL'] ?? ensureModel(() => {});
}
