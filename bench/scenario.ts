// What is there, and what is asked: known to the upstream, to the seed and to the load, so that answers can be checked.

export const servers = 70;
export const groups = 300;
export const users = 15_000;
export const tools = 1_500;

/** The servers that calls are measured on; the others are there to be listed. */
export const calledServer = { legacy: 0, modern: 1 } as const;

export function serverName(n: number): string {
  return `server-${String(n).padStart(2, '0')}`;
}

export function userName(n: number): string {
  return `person${n}@acme.com`;
}

/** API token of a user. Known to everybody, as is this database. */
export function tokenOf(n: number): string {
  return `tg_bench_${n}`;
}

/** Spread evenly: 1,500 over 70 servers. */
export function toolsPerServer(n: number): number {
  return Math.floor(((n + 1) * tools) / servers) - Math.floor((n * tools) / servers);
}

export function toolNames(n: number): string[] {
  return Array.from({ length: toolsPerServer(n) }, (_, i) => `get_items_of_kind_${i}`);
}

const filler = 'The quick brown fox jumps over the lazy dog. '.repeat(13);

/** The answer to a call, byte for byte: about 690 bytes. */
export function answerText(id: string, note: string, isModern: boolean): string {
  const type = isModern ? ',"resultType":"complete"' : '';
  return `{"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":"${note}: ${filler}"}],"isError":false${type}}}`;
}
