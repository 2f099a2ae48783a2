// As much of PostgreSQL's protocol as has to be read to pass it on (postgresql.org/docs/current/protocol-message-formats.html).

/** One whole message; the first of a connection has no type. */
export interface Part {
  readonly type: string;
  readonly bytes: Buffer;
}

/** AuthenticationOk and ReadyForQuery (idle): what a server that trusts the caller says to a startup packet. */
export const welcome = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5a, 0, 0, 0, 5, 0x49]);
/** ReadyForQuery, outside of a transaction. */
export const idle = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

/** Whole messages in the bytes, and what is left of one that is not complete. */
export function messagesIn(bytes: Buffer, hasType: boolean): { parts: Part[]; rest: Buffer } {
  const parts: Part[] = [];
  let at = 0;
  let typed = hasType;
  for (;;) {
    const head = typed ? 1 : 0;
    if (bytes.length - at < head + 4) break;
    const end = at + head + bytes.readUInt32BE(at + head);
    if (bytes.length < end) break;
    const type = typed ? String.fromCharCode(bytes[at] ?? 0) : '';
    parts.push({ type, bytes: bytes.subarray(at, end) });
    typed = true;
    at = end;
  }
  return { parts, rest: bytes.subarray(at) };
}

/** Query and Sync are answered with ReadyForQuery; what comes before them belongs to them. */
export function closesBatch(type: string): boolean {
  return type === 'Q' || type === 'S';
}

/** The text of a simple query; empty for anything else. */
export function queryText({ type, bytes }: Part): string {
  return type === 'Q' ? bytes.subarray(5, -1).toString('utf8').trimStart() : '';
}

export function commandDone(tag: string): Buffer {
  const text = Buffer.from(`${tag}\0`);
  const head = Buffer.alloc(5);
  head.write('C', 'latin1');
  head.writeUInt32BE(text.length + 4, 1);
  return Buffer.concat([head, text]);
}

/** Whether a transaction is open after an answer. */
export function statusAfter(parts: readonly Part[]): 'idle' | 'open' {
  const ready = parts.findLast(({ type }) => type === 'Z');
  return ready && String.fromCharCode(ready.bytes[5] ?? 0) === 'I' ? 'idle' : 'open';
}
