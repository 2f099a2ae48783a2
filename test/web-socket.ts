// Frames of a WebSocket, for both of its ends in tests.
import { type FramePart, FrameReader, opcodes, unmasked } from '../src/gateway/openwebui/sockets/frames.ts';

interface FrameOptions {
  readonly opcode?: number;
  readonly isFinal?: boolean;
  /** A mask that changes nothing by default, so that what is said can be read in a dump. */
  readonly mask?: readonly number[] | null;
  /** Bits that only extensions set. */
  readonly reserved?: number;
  /** Bytes that say the length, where fewer would do. */
  readonly lengthBytes?: 0 | 2 | 8;
}

/** What a client says. */
export function clientFrame(said: string | Buffer, o: FrameOptions = {}): Buffer {
  const { opcode = opcodes.text, isFinal = true, mask = [0, 0, 0, 0], reserved = 0 } = o;
  const payload = Buffer.from(said);
  const longer = payload.length < 65_536 ? 2 : 8;
  const lengthBytes = o.lengthBytes ?? (payload.length < 126 ? 0 : longer);
  const head = Buffer.alloc(2 + lengthBytes);
  head[0] = (isFinal ? 0x80 : 0) | reserved | opcode;
  head[1] = (mask ? 0x80 : 0) | { 0: payload.length, 2: 126, 8: 127 }[lengthBytes];
  if (lengthBytes === 2) head.writeUInt16BE(payload.length, 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(payload.length), 2);
  const masked = mask ? payload.map((byte, index) => byte ^ (mask[index & 3] ?? 0)) : payload;
  return Buffer.concat([head, Buffer.from(mask ?? []), masked]);
}

/** What a server says. */
export function serverFrame(said: string, o: Omit<FrameOptions, 'mask'> = {}): Buffer {
  return clientFrame(said, { ...o, mask: null });
}

/** Takes what a client sends, and tells of each text message. */
export function messagesOf(tell: (text: string) => void): (chunk: Buffer) => void {
  const reader = new FrameReader({ isMasked: true });
  let said: Buffer[] = [];
  const hear = (part: FramePart) => {
    if (part.head.opcode > opcodes.text) return;
    if (!part.isHead) said.push(unmasked(part));
    if (!part.isLast || !part.head.isFinal) return;
    tell(Buffer.concat(said).toString());
    said = [];
  };
  return (chunk) => {
    for (const part of reader.parts(chunk)) hear(part);
  };
}

/** The code and the words of a goodbye at the end of what came, as `rawConnection` has it. */
export function goodbyeIn(latin1: string): { code: number; reason: string } | undefined {
  const at = latin1.lastIndexOf('\x88');
  if (at < 0) return undefined;
  const frame = Buffer.from(latin1.slice(at), 'latin1');
  return { code: frame.readUInt16BE(2), reason: frame.subarray(4).toString() };
}
