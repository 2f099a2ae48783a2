import { promises as dns } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { within } from './deadline.ts';
import { AppError } from './errors.ts';
import { embeddedIPv4, ipv6Bytes, tunnelledIPv4 } from './net-address.ts';

/** Decides which addresses may be reached for a URL that a user or an admin supplied (SSRF). */
export interface NetGuard {
  /** Throws `url_not_allowed` (400). Redirects are URLs of their own: check each one before following it. */
  checkUrl(url: string): Promise<void>;
  /** Whether an IP address may be connected to. `net.connect` does no look-up for a host that is one already. */
  allows(address: string): boolean;
  /** For `connect.lookup` of undici and `net.connect`: checks what the name resolves to at that very moment. */
  readonly lookup: LookupFunction;
}

/** All addresses of a host name. */
export type ResolveHost = (host: string) => Promise<readonly string[]>;

const resolveMs = 5_000;

/** A guard whose allowed addresses may change while connections are being made. */
export function createReloadableGuard(
  allow: readonly string[],
): NetGuard & { allowOnly(allow: readonly string[]): void } {
  let guard = createNetGuard({ allow });
  return {
    checkUrl: (url) => guard.checkUrl(url),
    allows: (address) => guard.allows(address),
    lookup: (...query) => guard.lookup(...query),
    allowOnly(next) {
      guard = createNetGuard({ allow: next });
    },
  };
}

/**
 * `allow` are the addresses and CIDRs (config key `network.allow`) that may be reached although they are private.
 * Throws `network_allow_invalid` for one that is neither.
 */
export function createNetGuard(o: { allow: readonly string[]; resolve?: ResolveHost }): NetGuard {
  const allowed = blockListOf(o.allow);
  const resolve = o.resolve ?? systemResolve;
  const allows = (address: string) => isAllowed(address, allowed);
  const check = async (host: string): Promise<readonly string[]> => {
    const addresses = await addressesOf(host, resolve);
    // RFC 6761 6.3 gives localhost two addresses; an operator who allows one of them means it.
    if (isLocalhost(host) && addresses.some(allows)) return addresses.filter(allows);
    const refused = addresses.find((address) => !allows(address));
    if (refused === undefined) return addresses;
    const where = refused === host ? 'is' : `resolves to ${refused}, which is`;
    throw notAllowed(
      host,
      `${where} no public address; an operator can allow it in the config file under network.allow`,
    );
  };
  return {
    allows,
    async checkUrl(url) {
      await check(hostOf(url));
    },
    lookup(host, options, callback) {
      const answer = (addresses: readonly string[]) => {
        const wanted = addresses
          .map((address) => ({ address, family: isIP(address) }))
          .filter(({ family }) => !options.family || family === familyNumber(options.family));
        const [first] = wanted;
        if (!first) return callback(notAllowed(host, 'has no address of the wanted kind'), '', 0);
        return options.all ? callback(null, wanted) : callback(null, first.address, first.family);
      };
      check(host).then(answer, (error: Error) => callback(error, '', 0));
    },
  };
}

// IANA special-purpose registries, RFC 6890, and two addresses where clouds answer with secrets.
const refusedIPv4 = blockListOf([
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // carrier-grade NAT; Alibaba's metadata
  '127.0.0.0/8', // loopback
  '168.63.129.16/32', // Azure's host
  '169.254.0.0/16', // link-local; the metadata of most clouds
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments; Oracle's metadata
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // 6to4 relays, deprecated
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved and broadcast
]);

// All that is global begins with 001; the rest (loopback, unique local, link-local, multicast …) is not reached.
const globalIPv6 = blockListOf(['2000::/3']);
const refusedIPv6 = blockListOf([
  '2001::/23', // protocol assignments
  '2001:db8::/32', // documentation
  '3fff::/20', // documentation
]);

function isAllowed(address: string, allowed: BlockList): boolean {
  const plain = address.replace(/%.*$/, ''); // a zone, as in fe80::1%eth0
  const family = isIP(plain);
  if (family === 0) return false;
  if (family === 4) return allowed.check(plain) || !refusedIPv4.check(plain);
  if (allowed.check(plain, 'ipv6')) return true;
  const bytes = ipv6Bytes(plain);
  const inner = embeddedIPv4(bytes);
  if (inner.length > 0) return inner.every((v4) => isAllowed(v4, allowed));
  const behind = tunnelledIPv4(bytes);
  if (behind !== undefined && !isAllowed(behind, allowed)) return false;
  return globalIPv6.check(plain, 'ipv6') && !refusedIPv6.check(plain, 'ipv6');
}

/** The host of a URL, as WHATWG URL spells it: `0x7f.1`, `2130706433` and full-width digits are 127.0.0.1. */
function hostOf(text: string): string {
  const url = URL.parse(text);
  if (!url) throw notAllowed('the URL', 'cannot be understood');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw notAllowed(host || 'the URL', `uses ${url.protocol}//; only http:// and https:// are allowed`);
  }
  if (url.username || url.password)
    throw notAllowed(host, 'has a user name or password before it; use a credential');
  if (url.port === '0') throw notAllowed(host, 'is asked for at port 0, where nobody answers');
  return host;
}

async function addressesOf(host: string, resolve: ResolveHost): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  if (host.endsWith('.')) throw notAllowed(host, 'ends in a dot; write it without');
  if (isLocalhost(host)) return ['127.0.0.1', '::1'];
  const addresses = await resolved(host, resolve);
  if (addresses.length === 0) throw notAllowed(host, 'has no address');
  return addresses;
}

async function resolved(host: string, resolve: ResolveHost): Promise<readonly string[]> {
  try {
    return await within(resolveMs, 'the look-up took too long', resolve(host));
  } catch (cause) {
    throw notAllowed(host, 'could not be resolved to an address', cause);
  }
}

async function systemResolve(host: string): Promise<string[]> {
  return (await dns.lookup(host, { all: true })).map(({ address }) => address);
}

function isLocalhost(host: string): boolean {
  return /^(?:.*\.)?localhost$/i.test(host);
}

function familyNumber(family: number | 'IPv4' | 'IPv6'): number {
  return typeof family === 'number' ? family : Number(family.slice(-1));
}

function blockListOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [, address = '', prefix] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(range) ?? [];
    const bits = isIP(address) === 4 ? 32 : 128;
    if (isIP(address) === 0 || Number(prefix ?? 0) > bits) {
      const message = `network.allow: "${range}" is neither an IP address nor a range such as 10.0.0.0/8.`;
      throw new AppError('network_allow_invalid', 400, message);
    }
    list.addSubnet(address, Number(prefix ?? bits), bits === 32 ? 'ipv4' : 'ipv6');
  }
  return list;
}

function notAllowed(host: string, why: string, cause?: unknown): AppError {
  return new AppError('url_not_allowed', 400, `This URL is not allowed: ${host} ${why}.`, { cause });
}
