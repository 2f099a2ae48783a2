import { Histogram } from 'prom-client';

/** In milliseconds. */
const lookEvery = 20;
/** One that stood for longer says no more. In milliseconds. */
const longest = 30_000;
const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * How late the event loop is, as a histogram that only grows: it is right however often and by however many it is read,
 * and those of several processes add up. It is not read from `monitorEventLoopDelay`, which has to be reset by whoever
 * reads it. Watched until the process ends.
 */
export function eventLoopDelays(): Histogram {
  const delays = new Histogram({
    name: 'toolgate_event_loop_delay_seconds',
    help: 'How long what came in at any moment had to wait for the event loop.',
    buckets: seconds,
    registers: [],
  });
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    observe(delays, now - last - lookEvery);
    last = now;
  }, lookEvery).unref();
  return delays;
}

/** What came in a little later waited a little less: else a loop that stands for long would count as little as one that hardly does. */
export function observe(delays: Pick<Histogram, 'observe'>, milliseconds: number): void {
  const delay = Math.min(Math.max(0, milliseconds), longest);
  delays.observe(delay / 1_000);
  for (let left = delay - lookEvery; left > 0; left -= lookEvery) delays.observe(left / 1_000);
}
