import { isIPv6 } from 'node:net';

/** The 16 bytes of an IPv6 address that `net.isIP` accepts, without a zone. */
export function ipv6Bytes(address: string): number[] {
  // A dotted tail (::ffff:10.0.0.1) stands for the last two groups.
  const hex = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a, b, c, d] = parts.slice(0, 4).map(Number) as [number, number, number, number]; // four groups matched
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = '', tail] = hex.split('::');
  const before = groups(head);
  const after = groups(tail ?? '');
  const zeros = Array<number>(16 - before.length - after.length).fill(0);
  return [...before, ...zeros, ...after];
}

/**
 * What stands for everybody at an address. Of IPv6 the first 64 bits count: who has one such address has 2^64 of them
 * (RFC 4291 section 2.5.1).
 */
export function networkOf(address: string): string {
  return isIPv6(address) ? network(address) : address;
}

function network(address: string): string {
  const bytes = ipv6Bytes(address.replace(/%.*$/, '')).slice(0, 8);
  const parts = [0, 2, 4, 6].map((at) => (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16));
  return `${parts.join(':')}::/64`;
}

/**
 * The IPv4 addresses that traffic to an IPv6 address ends at, when it is one of the forms that carry some: mapped,
 * compatible and translated (RFC 4291, 2765), NAT64 (RFC 6052), 6to4 (RFC 3056), Teredo (RFC 4380).
 */
export function embeddedIPv4(bytes: readonly number[]): string[] {
  const form = forms.find(({ test }) => test(bytes));
  return form ? form.read(bytes).map((v4) => v4.join('.')) : [];
}

/**
 * The IPv4 address in an interface identifier of ISATAP (RFC 5214), in its local or its global spelling: where there is
 * such a tunnel, traffic ends there, whatever the prefix.
 */
export function tunnelledIPv4(bytes: readonly number[]): string | undefined {
  return /^0[02]005efe/.test(toHex(bytes.slice(8))) ? bytes.slice(12).join('.') : undefined;
}

interface Form {
  test(bytes: readonly number[]): boolean;
  read(bytes: readonly number[]): (readonly number[])[];
}

const last = (bytes: readonly number[]) => [bytes.slice(12)];

const forms: readonly Form[] = [
  { test: beginsWith('00000000000000000000ffff'), read: last },
  { test: beginsWith('0000000000000000ffff0000'), read: last },
  { test: beginsWith('000000000000000000000000'), read: last },
  { test: beginsWith('0064ff9b0000000000000000'), read: last },
  { test: beginsWith('2002'), read: (bytes) => [bytes.slice(2, 6)] },
  // The relay, and the client with all bits inverted.
  {
    test: beginsWith('20010000'),
    read: (bytes) => [bytes.slice(4, 8), bytes.slice(12).map((byte) => byte ^ 0xff)],
  },
];

function beginsWith(prefix: string): (bytes: readonly number[]) => boolean {
  return (bytes) => toHex(bytes).startsWith(prefix);
}

function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function toHex(bytes: readonly number[]): string {
  return Buffer.from(bytes).toString('hex');
}
