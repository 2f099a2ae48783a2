import { Client } from 'undici';
import { type RunnerHealth, runnerHealth } from '../runner/wire.ts';
import { UpstreamError } from './contract.ts';
import type { RunnerWay } from './runner.ts';

const patience = 5_000;

/** Asks the runner how it is. Rejects with UpstreamError when it does not answer. */
export async function healthOf(way: RunnerWay): Promise<RunnerHealth> {
  const signal = AbortSignal.timeout(patience);
  const { origin, socketPath, key } = await way.place(signal);
  const client = new Client(origin, { ...(socketPath !== undefined && { socketPath }) });
  try {
    const headers = { authorization: `Bearer ${key}` };
    const answer = await client.request({ method: 'GET', path: '/health', headers, signal });
    const health = runnerHealth.safeParse(await answer.body.json().catch(() => undefined));
    if (health.success) return health.data;
    const why =
      answer.statusCode === 401
        ? 'it refuses the key; both need the same TOOLGATE_RUNNER_KEY'
        : 'what answers there is no runner of this version';
    throw new UpstreamError('unreachable', `The runner cannot be used: ${why}.`);
  } catch (cause) {
    if (cause instanceof UpstreamError) throw cause;
    throw new UpstreamError('unreachable', 'The runner does not answer.', { cause });
  } finally {
    await client.destroy();
  }
}
