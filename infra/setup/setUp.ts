import type { Report } from '../problem.ts';
import { together } from '../together.ts';
import { ensureMinio } from './minio.ts';
import { ensureModel } from './model.ts';
import { ensureTemporal } from './temporal.ts';

export interface Tools {
  temporal: string;
  minio: string;
  model: string;
}

/** Everything a run needs, set up side by side: the longest, building MinIO, hides the downloads. */
export async function setUp(report: Report): Promise<Tools> {
  const [temporal, minio, model] = await together([
    ensureTemporal(report),
    ensureMinio(report),
    ensureModel(report),
  ]);
  return { temporal, minio, model };
}
