import { isIP } from 'node:net';
import { buildConnector } from 'undici';
import type { NetGuard } from '../../platform/net-guard.ts';

const timeout = 10_000;

/**
 * How sockets to a server are made. With a guard, the address is judged at the moment of connecting, whatever the
 * name resolved to when the URL was saved (DNS rebinding); an address that needs no look-up is judged as it stands.
 */
export function connectorFor(guard: NetGuard | undefined): buildConnector.connector {
  if (!guard) return buildConnector({ timeout });
  const connect = buildConnector({ timeout, lookup: guard.lookup });
  return (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !guard.allows(host)) return callback(new Error(`connections to ${host} are not allowed`), null);
    return connect(options, callback);
  };
}
