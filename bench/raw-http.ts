// HTTP/1.1 with as little work as can be: what surrounds the server under test must not be what is measured.
import type { Socket } from 'node:net';

export interface RawMessage {
  /** Start line and headers, as they came. */
  readonly head: string;
  readonly body: Buffer;
}

const endOfHead = Buffer.from('\r\n\r\n');

/** Calls back for each message that arrives. Every message must state its length: chunked ones are an error. */
export function onMessages(socket: Socket, callback: (message: RawMessage) => void): void {
  let rest: Buffer | undefined;
  socket.on('data', (chunk: Buffer) => {
    let bytes = rest ? Buffer.concat([rest, chunk]) : chunk;
    rest = undefined;
    while (bytes.length > 0) {
      const headEnd = bytes.indexOf(endOfHead);
      const head = headEnd < 0 ? '' : bytes.toString('latin1', 0, headEnd + 2);
      const bodyStart = headEnd + endOfHead.length;
      const end = bodyStart + (headEnd < 0 ? 0 : lengthOf(head));
      if (headEnd < 0 || bytes.length < end) {
        rest = bytes;
        return;
      }
      callback({ head, body: bytes.subarray(bodyStart, end) });
      bytes = bytes.subarray(end);
    }
  });
}

/** The value of a header, from the text of all of them. */
export function headerIn(head: string, name: string): string | undefined {
  return new RegExp(`\r\n${name}: *([^\r]*)`, 'i').exec(head)?.[1];
}

function lengthOf(head: string): number {
  const stated = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (stated !== undefined) return Number(stated);
  if (/\r\ntransfer-encoding:/i.test(head)) throw new Error(`a message without a length:\n${head}`);
  return 0;
}
