/**
 * Lets one `work` run at a time and at most one wait: whoever asks during a run shares the one that waits,
 * so each caller gets a run that began after its call, and a burst of calls costs two runs.
 */
export function coalesce(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let queued: Promise<void> | undefined;
  const start = (): Promise<void> => {
    running = work().finally(() => {
      running = undefined;
    });
    return running;
  };
  const startQueued = (): Promise<void> => {
    queued = undefined;
    return start();
  };
  return () => {
    if (queued) return queued;
    if (!running) return start();
    queued = running.then(startQueued, startQueued);
    return queued;
  };
}
