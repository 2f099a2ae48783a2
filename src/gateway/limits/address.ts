import { isIPv6 } from 'node:net';
import { ipv6Bytes } from '../../platform/net-address.ts';
import type { Limit } from './limit.ts';

/**
 * The limit of an address. Of IPv6 the first 64 bits count: who has one such address has 2^64 of them
 * (RFC 4291 section 2.5.1).
 */
export function addressLimit(address: string, perMinute: number): Limit {
  return { kind: 'address', id: isIPv6(address) ? network(address) : address, perMinute };
}

function network(address: string): string {
  const bytes = ipv6Bytes(address.replace(/%.*$/, '')).slice(0, 8);
  const groups = [0, 2, 4, 6].map((at) => (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16));
  return `${groups.join(':')}::/64`;
}
