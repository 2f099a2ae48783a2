// Open WebUI takes a credential from one of three places. The gate reads them in the same order, and passes on the one that
// it has judged and no other: what is known here and what counts there must be the same person.
import type { IncomingMessage } from 'node:http';
import { pairsOf } from './raw-headers.ts';
import { isSessionLike } from './session-like.ts';

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
  if (text === undefined || !readable.test(text) || ownToken.test(text)) return undefined;
  return isSessionLike(text) === 'doubtful' ? undefined : text;
}

function single(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/**
 * RFC 6265 section 4.1.1. Anything else is read in different ways: Python takes more characters for white space, and some
 * readers begin another cookie behind one.
 */
const readableCookie = /^([\w!#$%&'*+.^`|~-]+)=("?)([\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*)\2$/;

/** Of several session cookies the last one counts there (`cookie_parser` of Starlette), and quotes are no part of it. */
function cookiesOf(req: IncomingMessage): { token: string | undefined; others: string[] } {
  const all = pairsOf(req.rawHeaders)
    .filter(([name]) => name.toLowerCase() === 'cookie')
    .flatMap(([, value]) => value.split(';'))
    .flatMap((part) => {
      const text = part.replace(/^[ \t]+|[ \t]+$/g, '');
      const [, name, , value] = readableCookie.exec(text) ?? [];
      return name === undefined || value === undefined ? [] : [{ name, value, text }];
    });
  return {
    token: all.findLast(({ name }) => name === cookieName)?.value,
    others: all
      .filter(({ name, value }) => name !== cookieName && !ownCookie.test(name) && !ownToken.test(value))
      .map(({ text }) => text),
  };
}
