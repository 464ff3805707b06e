const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** At a terminal one Ctrl-C may arrive twice: from the terminal and from the process that started us. */
const echoMs = 1000;

/** An abort signal for the first Ctrl-C (or SIGTERM); one that follows later ends the process as usual. */
export function onInterrupt(): { signal: AbortSignal; done: () => void } {
  const controller = new AbortController();
  const done = () => signals.forEach((name) => process.off(name, interrupt));
  const interrupt = () => {
    if (controller.signal.aborted) return;
    controller.abort();
    setTimeout(done, echoMs).unref();
  };
  signals.forEach((name) => process.on(name, interrupt));
  return { signal: controller.signal, done };
}
