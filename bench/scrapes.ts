// What it costs when Prometheus asks for the numbers of a process that has many.
import { type Running, untilIdle } from './processes.ts';

export const metricsToken = 'known-to-everybody';

export interface Scrapes {
  readonly bytes: number;
  /** Milliseconds of processor for one; undefined where the system does not say. */
  readonly cpuMs: number | undefined;
}

const scrapes = 100;

export async function measureScrapes(server: Running): Promise<Scrapes> {
  await untilIdle(server);
  const before = server.cpu();
  let bytes = 0;
  for (let at = 0; at < scrapes; at++) {
    const headers = { authorization: `Bearer ${metricsToken}` };
    const answer = await fetch(`${server.origin}/metrics`, { headers });
    const text = await answer.text();
    if (answer.status !== 200 || !text.includes('toolgate_calls_total')) throw new Error('No metrics.');
    bytes = Buffer.byteLength(text);
  }
  const after = server.cpu();
  const cpuMs =
    before === undefined || after === undefined ? undefined : ((after - before) * 1_000) / scrapes;
  return { bytes, cpuMs };
}
