import type { Pool } from 'undici';
import { failure, type ProcessInput, processStarted } from '../runner/wire.ts';
import { UpstreamError } from './contract.ts';

/** Where a runner listens, and what opens it. */
export interface RunnerPlace {
  readonly origin: string;
  /** Where it listens, if not at the origin's own port. */
  readonly socketPath?: string | undefined;
  readonly key: string;
}

/** Has a process started; resolves with its id. Rejects with UpstreamError. */
export async function openProcess(
  pool: Pool,
  o: {
    readonly key: string;
    readonly name: string;
    readonly input: ProcessInput;
    readonly signal: AbortSignal;
  },
): Promise<string> {
  const { key, name, input, signal } = o;
  const answer = await pool
    .request({
      method: 'POST',
      path: '/processes',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(input),
      signal,
    })
    .catch((cause: unknown) => {
      throw new UpstreamError('unreachable', `The runner, which starts "${name}", cannot be reached.`, {
        cause,
      });
    });
  const body: unknown = await answer.body.json().catch(() => undefined);
  const started = processStarted.safeParse(body);
  if (answer.statusCode === 201 && started.success) return started.data.id;
  const refused = failure.safeParse(body);
  if (refused.success) throw new UpstreamError(refused.data.failure.kind, refused.data.failure.message);
  if (answer.statusCode === 401)
    throw new UpstreamError(
      'unreachable',
      `The runner, which starts "${name}", refuses the gate’s key; both need the same TOOLGATE_RUNNER_KEY.`,
    );
  throw new UpstreamError('unreachable', `The runner did not start "${name}" (HTTP ${answer.statusCode}).`);
}
