// Open WebUI takes a credential from one of three places. The gate reads them in the same order, and passes on the one that
// it has judged and no other: what is known here and what counts there must be the same person.
import type { IncomingMessage } from 'node:http';
import { pairsOf } from './raw-headers.ts';

/** The credential of a request, and the headers that go on with it. */
export interface Shown {
  readonly token: string | undefined;
  readonly authorization: string | undefined;
  /** Value of `Cookie`; empty: none. */
  readonly cookie: string;
  readonly apiKey: string | undefined;
}

const cookieName = 'token';
const bearer = /^bearer +(\S+)$/i;
const readable = /^[\w.~+/=-]+$/;
/** The gate's own: tokens of its API, and cookies of its pages. */
const ownToken = /^tg_/;
const ownCookie = /^(?:__Host-|__Secure-)?toolgate_/i;

/** `utils/asgi_middleware.py` and `utils/auth.py` of Open WebUI: `Authorization`, then the cookie, then `x-api-key`. */
export function shownCredential(req: IncomingMessage): Shown {
  const authorization = tokenOf(bearer.exec(req.headers.authorization ?? '')?.[1]);
  const { token: inCookie, others } = cookiesOf(req);
  const cookie = tokenOf(inCookie);
  const apiKey = tokenOf(single(req.headers['x-api-key']));
  const token = authorization ?? cookie ?? apiKey;
  return {
    token,
    authorization: authorization === undefined ? undefined : `Bearer ${authorization}`,
    cookie: [
      ...others,
      ...(cookie !== undefined && cookie === token ? [`${cookieName}=${cookie}`] : []),
    ].join('; '),
    apiKey: apiKey !== undefined && apiKey === token ? apiKey : undefined,
  };
}

function tokenOf(text: string | undefined): string | undefined {
  return text !== undefined && readable.test(text) && !ownToken.test(text) ? text : undefined;
}

function single(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Of several session cookies the last one counts there (`cookie_parser` of Starlette), and quotes are no part of it. */
function cookiesOf(req: IncomingMessage): { token: string | undefined; others: string[] } {
  const all = pairsOf(req.rawHeaders)
    .filter(([name]) => name.toLowerCase() === 'cookie')
    .flatMap(([, value]) => value.split(';'))
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const nameOf = (part: string) => (part.includes('=') ? part.slice(0, part.indexOf('=')).trim() : '');
  const mine = all.filter((part) => nameOf(part) === cookieName).at(-1);
  return {
    token: mine
      ?.slice(mine.indexOf('=') + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1'),
    others: all.filter((part) => {
      const name = nameOf(part);
      return (
        name !== cookieName && !ownCookie.test(name) && !ownToken.test(part.slice(name.length + 1).trim())
      );
    }),
  };
}
