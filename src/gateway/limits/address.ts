import { networkOf } from '../../platform/net-address.ts';
import type { Limit } from './limit.ts';

/** The limit of an address, or of the network that stands for it. */
export function addressLimit(address: string, perMinute: number): Limit {
  return { kind: 'address', id: networkOf(address), perMinute };
}
