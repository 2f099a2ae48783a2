import { type Call, type Gate, requestOf } from '../call.ts';
import { untilAborted } from '../connectors/until-aborted.ts';
import { invalidParams } from '../refusals.ts';
import { type LogLevel, logLevelOf, logLevels, reaches } from '../rpc/log-level.ts';
import type { RpcNotification } from '../rpc/message.ts';
import type { Era } from '../rpc/protocol.ts';
import type { Connection } from '../upstreams/pool.ts';
import type { Target } from '../upstreams/target.ts';

/** How long servers may take to set their level before the client is answered, in milliseconds. */
const patience = 2_000;
/** What a modern server is asked for when a legacy client has named no level: the server decides, so the gate does. */
const usualLevel = 'info' satisfies LogLevel;

/**
 * `logging/setLevel` of the legacy era. The level is the session's own; the face remembers it. Servers that are there
 * hear of it at once, others with the next call.
 */
export async function serveSetLevel(call: Call, gate: Gate): Promise<void> {
  const level = logLevelOf(requestOf(call).params?.['level']);
  if (!level) throw invalidParams(`"params.level" must be one of ${logLevels.join(', ')}.`);
  call.logLevel = level;
  call.response = { kind: 'local', rawResult: '{}' };
  const { session } = call;
  if (session === null) return;
  const isThere = (target: Target) => {
    const { hello, key, lent } = gate.lists.peek(target, call.era, call.capabilities);
    const isNext = call.path.server !== null && lent === undefined;
    return isNext || (hello !== undefined && gate.pool.isConnected(key));
  };
  const signal = AbortSignal.any([call.controller.signal, AbortSignal.timeout(patience)]);
  const told = call.targets.filter(isThere).map(async (target) => {
    const connection = await gate.pool.connect(target, call.era, call.capabilities, signal);
    if (takesLevels(connection)) await untilAborted(connection.upstream.levels.want(session, level), signal);
  });
  // A server that cannot be told now is told with the next call to it.
  await Promise.allSettled(told);
}

/** Runs a request to a server that says at least as much as its caller wants to hear. */
export function withLogLevel<T>(call: Call, connection: Connection, run: () => Promise<T>): Promise<T> {
  const { logLevel, session, requestId } = call;
  if (logLevel === undefined || !takesLevels(connection)) return run();
  const { levels } = connection.upstream;
  const user = session ?? requestId;
  const running = levels.want(user, logLevel).then(run);
  return session === null ? running.finally(() => levels.release(user)) : running;
}

/** The level to ask a modern server for, in each request. */
export function levelFor(call: Call): LogLevel | undefined {
  return call.logLevel ?? (call.era === 'legacy' && call.session !== null ? usualLevel : undefined);
}

/**
 * May the caller see it? Log messages only from its own level upwards: a modern request without one gets none, a legacy
 * session that never set one gets what the server sends (server/utilities/logging.mdx of both eras).
 */
export function hears(
  { era, logLevel }: { era: Era; logLevel: LogLevel | undefined },
  message: RpcNotification,
): boolean {
  if (message.method !== 'notifications/message') return true;
  if (logLevel === undefined) return era === 'legacy';
  return reaches(message.params?.['level'], logLevel);
}

/** A modern server is told with each request. */
function takesLevels({ hello }: Connection): boolean {
  return hello.era === 'legacy' && 'logging' in hello.capabilities;
}
