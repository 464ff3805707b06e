import { openDevice } from '../../../activities/policy/engine/device.ts';

/** A process that starts an engine, says its process id and then does nothing. Killed by `device.test.ts`. */
const device = await openDevice({ modelPath: process.argv[2] ?? '', threads: 1 });
await device.model();
console.log(device.processId());
setInterval(() => undefined, 60_000);
