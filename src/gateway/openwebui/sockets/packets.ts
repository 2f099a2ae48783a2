// What a client says to Open WebUI on its Socket.IO (Engine.IO 4, Socket.IO 5), as far as it says who somebody is: the packet
// that connects, and events that carry `auth`. It must read as Open WebUI reads it, so only the one spelling that its pages
// use is let by; python-socketio takes others for the same event.
import { isSessionLike } from '../session-like.ts';

/** `nothing`: it names nobody. `wrong`: no page of Open WebUI says it so. */
export type Packet =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'wrong' };

const nothing: Packet = { kind: 'nothing' };
const wrong: Packet = { kind: 'wrong' };

/** Of the transport: ping, pong, close, upgrade, noop. */
const ofTransport = /^(?:[12356]|[23]probe)$/;
/** The end of a namespace, and answers to events of the server: one of several attachments is binary. */
const answers = /^4(?:1$|3\d{1,20}\[|6\d{1,3}-\d{1,20}\[)/;
const connect = /^40(?:\{|$)/;
const event = /^4(?:2|5\d{1,3}-)\d{0,20}\["([^"\\\p{Cc}]{1,200})"[,\]]/u;
/** Events that name somebody, of 0.10 to 0.12. */
const naming = ['user-join', 'join-channels', 'join-note'];

/** A whole message. */
export function packetOf(text: string): Packet {
  if (ofTransport.test(text) || answers.test(text)) return nothing;
  if (connect.test(text)) return named(text === '40' ? {} : parsed(text.slice(2)));
  if (!event.test(text)) return wrong;
  const args = parsed(text.slice(text.indexOf('[')));
  if (!Array.isArray(args)) return wrong;
  const first: unknown = args[1];
  return isObject(first) && isObject(first['auth']) ? named(first['auth']) : nothing;
}

/** May a message that is too long to be read go on? `start` is how it begins. */
export function mayBeLong(start: string): boolean {
  if (answers.test(start)) return true;
  const name = event.exec(start)?.[1];
  return name !== undefined && !naming.includes(name);
}

function named(auth: unknown): Packet {
  if (!isObject(auth)) return wrong;
  const { token } = auth;
  if (token === undefined || token === null || token === '') return nothing;
  if (typeof token !== 'string') return wrong;
  return { yes: { kind: 'token', token } as const, no: nothing, doubtful: wrong }[isSessionLike(token)];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
