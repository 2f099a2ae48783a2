import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, isIPv6, SocketAddress } from 'node:net';

/** Where a request comes from, and what its client dialled. */
export interface Origin {
  /** One spelling for each address. */
  readonly clientIp: string;
  readonly protocol: 'http' | 'https';
  /** The host and port in the client's URL; empty when it named none. */
  readonly host: string;
}

/** What is read of a request. */
export type Asked = Pick<IncomingMessage, 'headers'> & {
  readonly socket: Pick<IncomingMessage['socket'], 'remoteAddress'>;
};

/** One hop, as a proxy wrote it down. */
interface Hop {
  /** Undefined: the proxy does not say, or says nonsense. */
  readonly address: string | undefined;
  readonly protocol?: string | undefined;
  readonly host?: string | undefined;
}

/** A longer way is no way: nobody has so many proxies. */
const mostHops = 30;

/**
 * Reads where requests come from. Proxies whose addresses are in `trusted` (addresses and ranges) are believed about
 * who came to them; whoever else sends such headers made them up.
 */
export function originReader(trusted: readonly string[]): (req: Asked) => Origin {
  const isTrusted = isAmong(trusted);
  return (req) => {
    const peer = canonical(req.socket.remoteAddress ?? '') ?? '';
    const direct = { clientIp: peer, protocol: 'http', host: req.headers.host ?? '' } as const;
    return trusted.length > 0 && isTrusted(peer) ? behind(req, direct, isTrusted) : direct;
  };
}

/** Is it one of these addresses, or in one of these ranges? */
export function isAmong(ranges: readonly string[]): (address: string) => boolean {
  const list = listOf(ranges);
  return (address) => {
    const spelled = canonical(address);
    return spelled !== undefined && list.check(spelled, isIPv6(spelled) ? 'ipv6' : 'ipv4');
  };
}

/** An address or a range such as `10.0.0.0/8`. */
export function isAddressRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}

/**
 * From the right: each trusted proxy is believed about the one before it, and the first that is none is the client.
 * What stands left of it is the client's own word.
 */
function behind(req: Asked, direct: Origin, isTrusted: (address: string) => boolean): Origin {
  const hops = hopsOf(req);
  let clientIp = direct.clientIp;
  for (const { address } of hops.toReversed()) {
    if (address === undefined) break;
    clientIp = address;
    if (!isTrusted(address)) break;
  }
  // Of scheme and host the nearest proxy is believed: it saw them, or passed on what one before it saw.
  const said = hops.at(-1);
  const protocol = said?.protocol ?? lastOf(req.headers['x-forwarded-proto']);
  const host = said?.host ?? lastOf(req.headers['x-forwarded-host']);
  return {
    clientIp,
    protocol: protocol?.toLowerCase() === 'https' ? 'https' : 'http',
    host: host !== undefined && hostPattern.test(host) ? host : direct.host,
  };
}

const hostPattern = /^[\w.-]+(?::\d{1,5})?$|^\[[\da-f:.]+\](?::\d{1,5})?$/i;

/**
 * A proxy writes one of the two headers and passes on the other as the client sent it. Which one is not known here:
 * where both came and differ, the client added one, and neither is believed.
 */
function hopsOf({ headers }: Asked): Hop[] {
  const plain = plainHops(headers['x-forwarded-for']);
  const standard = standardHops(headers.forwarded);
  if (plain.length === 0) return standard;
  if (standard.length === 0) return plain;
  const isSame = plain.length === standard.length && plain.every((hop, at) => isAt(hop, standard[at]));
  return isSame ? standard : [];
}

function isAt({ address }: Hop, other: Hop | undefined): boolean {
  return address !== undefined && address === other?.address;
}

function plainHops(header: string | string[] | undefined): Hop[] {
  return partsOf(header, ',').map((part) => ({ address: addressIn(part) }));
}

/** RFC 7239 section 4: `for=192.0.2.60;proto=http;by=203.0.113.43, for="[2001:db8::17]:4711"`. */
function standardHops(header: string | undefined): Hop[] {
  return partsOf(header, ',').map((part) => {
    const pairs = new Map(partsOf(part, ';').map(pairOf));
    return {
      address: addressIn(pairs.get('for') ?? ''),
      protocol: pairs.get('proto'),
      host: pairs.get('host'),
    };
  });
}

function pairOf(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  const value = text.slice(at + 1).trim();
  return [text.slice(0, Math.max(0, at)).trim().toLowerCase(), unquoted(value)];
}

function unquoted(value: string): string {
  return /^".*"$/.test(value) ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1') : value;
}

/** The last parts, at most as many as there may be hops. A quoted string may hold the separator. */
function partsOf(header: string | string[] | undefined, separator: ',' | ';'): string[] {
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  const parts: string[] = [];
  let part = '';
  let isQuoted = false;
  for (const character of text) {
    if (character === '"') isQuoted = !isQuoted;
    if (character !== separator || isQuoted) part += character;
    else {
      parts.push(part.trim());
      part = '';
    }
  }
  if (text !== '') parts.push(part.trim());
  return parts.slice(-mostHops);
}

function lastOf(header: string | string[] | undefined): string | undefined {
  return partsOf(header, ',').at(-1);
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` and `[2001:db8::1]:80`. */
function addressIn(text: string): string | undefined {
  const plain = unquoted(text);
  const [, inBrackets] = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(plain) ?? [];
  const [, beforePort] = /^([\d.]+):\d{1,5}$/.exec(plain) ?? [];
  return canonical(inBrackets ?? beforePort ?? plain);
}

/** Without a zone, and IPv4 as such where it came in an IPv6 address (RFC 4291 section 2.5.5.2). */
function canonical(text: string): string | undefined {
  const address = text.replace(/%.*$/, '');
  const version = isIP(address);
  if (version === 0) return undefined;
  if (version === 4) return address;
  const spelled = new SocketAddress({ address, family: 'ipv6' }).address;
  const [, mapped] = /^::ffff:([\d.]+)$/i.exec(spelled) ?? [];
  return mapped ?? spelled;
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    list.addSubnet(address, Number(bits ?? (family === 'ipv6' ? 128 : 32)), family);
  }
  return list;
}
