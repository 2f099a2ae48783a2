import { isIP } from 'node:net';
import { buildConnector } from 'undici';
import { AppError } from '../../platform/errors.ts';
import type { NetGuard } from '../../platform/net-guard.ts';
import { UpstreamError } from './contract.ts';
import { closedError } from './pending.ts';

const timeout = 10_000;
const notAllowed = 'url_not_allowed';
/** Errors of looking a name up, of connecting and of TLS; any other came after that. */
const neverConnected =
  /^(ECONNREFUSED|ENOTFOUND|EAI_|EHOST|ENET|EADDR|EACCES|EPERM|ETIMEDOUT|ERR_TLS|ERR_SSL|EPROTO|CERT_|DEPTH_|SELF_|UNABLE_|UND_ERR_CONNECT)/;

/**
 * How sockets to a server are made. With a guard, the address is judged at the moment of connecting, whatever the
 * name resolved to when the URL was saved (DNS rebinding); an address that needs no look-up is judged as it stands.
 */
export function connectorFor(guard: NetGuard | undefined): buildConnector.connector {
  if (!guard) return buildConnector({ timeout });
  const connect = buildConnector({ timeout, lookup: guard.lookup });
  return (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !guard.allows(host))
      return callback(new AppError(notAllowed, 400, `Connections to ${host} are not allowed.`), null);
    return connect(options, callback);
  };
}

/** What a failure of a socket means for the one who waited for an answer on it. */
export function connectionError(name: string, error: unknown): UpstreamError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const options = { cause: error };
  if (code === notAllowed)
    return new UpstreamError(
      'unreachable',
      `The server "${name}" is at an address that the gate may not reach.`,
      options,
    );
  if (neverConnected.test(code))
    return new UpstreamError('unreachable', `The server "${name}" cannot be reached.`, options);
  return closedError(name, error);
}
