import type { IncomingMessage } from 'node:http';
import { droppedNames, plainName } from './header-names.ts';
import { pairsOf, type RawHeaders } from './raw-headers.ts';
import { isCredential } from './session-like.ts';
import type { Shown } from './shown-credential.ts';

/** What the gate itself says to Open WebUI about a request. */
export interface Said {
  readonly requestId: string;
  readonly clientIp: string;
  readonly host: string;
  readonly protocol: 'http' | 'https';
  /** How this installation names itself in `Via`. */
  readonly via: string;
  /** Who is calling; empty for somebody who is not known. */
  readonly identity: RawHeaders;
  readonly shown: Shown;
  /** Further names that no client may send. */
  readonly dropped: readonly string[];
}

/** Where the gate sets the only header of that name. */
const setHere = new Set(['host', 'cookie', 'authorization', 'x-api-key', 'x-request-id', 'via']);

/** The headers of a request on its way to Open WebUI. What the client says of itself and its way is left out. */
export function requestHeaders(req: IncomingMessage, said: Said): string[] {
  const passed = filtered(req.rawHeaders, said.dropped, (plain) => !setHere.has(plain));
  const { authorization, cookie, apiKey } = said.shown;
  const via = req.headers.via === undefined ? '' : `${req.headers.via}, `;
  return [
    ...['Host', said.host],
    ...passed,
    ...(authorization === undefined ? [] : ['Authorization', authorization]),
    ...(cookie === '' ? [] : ['Cookie', cookie]),
    ...(apiKey === undefined ? [] : ['X-Api-Key', apiKey]),
    ...['X-Forwarded-For', said.clientIp, 'X-Forwarded-Proto', said.protocol, 'X-Forwarded-Host', said.host],
    ...['X-Request-Id', said.requestId, 'Via', `${via}1.1 ${said.via}`],
    ...said.identity,
  ];
}

/** What says how the body ends, of exactly one kind: two kinds are read differently by different programs. */
export function framing({ headers, method = '' }: IncomingMessage): string[] {
  if (headers['transfer-encoding'] !== undefined) return ['Transfer-Encoding', 'chunked'];
  if (headers['content-length'] !== undefined) return ['Content-Length', headers['content-length']];
  return ['GET', 'HEAD', 'OPTIONS'].includes(method) ? [] : ['Content-Length', '0'];
}

/** Trailers cannot say who somebody is either. */
export function requestTrailers(req: IncomingMessage, dropped: readonly string[]): [string, string][] {
  return pairsOf(filtered(req.rawTrailers, dropped, (plain) => !setHere.has(plain)));
}

/** The same list without what ends here. */
function filtered(
  raw: RawHeaders,
  dropped: readonly string[],
  isWanted: (plain: string) => boolean,
): string[] {
  const pairs = pairsOf(raw);
  const connection = pairs.flatMap(([name, value]) => (plainName(name) === 'connection' ? [value] : []));
  const names = droppedNames(dropped, connection);
  return pairs.flatMap(([name, value]) => {
    const plain = plainName(name);
    const isDropped = names.isClaim(plain) || names.isHop(plain) || !isWanted(plain) || isCredential(value);
    return isDropped ? [] : [name, value];
  });
}
