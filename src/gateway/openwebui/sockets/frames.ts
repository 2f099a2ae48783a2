// Frames of a WebSocket (RFC 6455 section 5), read as they come and never gathered. No extension is ever agreed on
// here, so what is on the wire is what was said.

/** How a socket ends, as its client is told (section 7.4). */
export interface Goodbye {
  readonly code: number;
  readonly reason: string;
}

export const opcodes = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const known: readonly number[] = Object.values(opcodes);
const longestControl = 125;
/** Where seven bits do not hold the length: the bytes that do. */
const longer: Readonly<Record<number, number>> = { 126: 2, 127: 8 };

interface FrameHead {
  readonly isFinal: boolean;
  readonly opcode: number;
  readonly length: number;
  readonly mask: Buffer | undefined;
}

/** A part of a frame: its head, or a piece of what it carries. */
export interface FramePart {
  readonly head: FrameHead;
  /** As it came. */
  readonly bytes: Buffer;
  readonly isHead: boolean;
  /** How much of what it carries came before. */
  readonly at: number;
  readonly isLast: boolean;
}

/** What came is no frame, or one that must not come here. */
export class BrokenFrame extends Error {}

/** Tells frames of one direction apart; those of clients are masked. */
export class FrameReader {
  readonly #isMasked: boolean;
  /** Of a head that is not complete. */
  #begun: Buffer = Buffer.alloc(0);
  #head: FrameHead | undefined;
  #at = 0;

  constructor(o: { isMasked: boolean }) {
    this.#isMasked = o.isMasked;
  }

  /** Throws `BrokenFrame`; then nothing more can be read. */
  *parts(chunk: Buffer): Generator<FramePart> {
    let rest = chunk;
    while (rest.length > 0) {
      const before = rest.length;
      const part = this.#head ? this.#payload(this.#head, rest) : this.#readHead(rest);
      rest = rest.subarray(part?.taken ?? before);
      if (part?.found) yield part.found;
    }
  }

  #readHead(rest: Buffer): { taken: number; found: FramePart | undefined } {
    const missing = headLength(this.#begun) - this.#begun.length;
    const bytes = Buffer.concat([this.#begun, rest.subarray(0, missing)]);
    this.#begun = bytes;
    const taken = Math.min(missing, rest.length);
    if (bytes.length < headLength(bytes)) return { taken, found: undefined };
    this.#begun = Buffer.alloc(0);
    const head = headOf(bytes, this.#isMasked);
    const isLast = head.length === 0;
    this.#head = isLast ? undefined : head;
    this.#at = 0;
    return { taken, found: { head, bytes, isHead: true, at: 0, isLast } };
  }

  #payload(head: FrameHead, rest: Buffer): { taken: number; found: FramePart } {
    const bytes = rest.subarray(0, head.length - this.#at);
    const at = this.#at;
    this.#at += bytes.length;
    const isLast = this.#at === head.length;
    if (isLast) this.#head = undefined;
    return { taken: bytes.length, found: { head, bytes, isHead: false, at, isLast } };
  }
}

/** What a piece of a masked frame says. */
export function unmasked({ head, bytes, at }: FramePart): Buffer {
  const { mask } = head;
  if (!mask) return bytes;
  return Buffer.from(bytes.map((byte, index) => byte ^ (mask[(at + index) & 3] ?? 0)));
}

/** A frame of a server that says goodbye. The reason has at most 123 bytes. */
export function closeFrame({ code, reason }: Goodbye): Buffer {
  const words = Buffer.from(reason).subarray(0, longestControl - 2);
  const frame = Buffer.alloc(4 + words.length);
  frame.writeUInt8(0x80 | opcodes.close, 0);
  frame.writeUInt8(2 + words.length, 1);
  frame.writeUInt16BE(code, 2);
  words.copy(frame, 4);
  return frame;
}

/** As far as the bytes tell: more of them may say that it is longer. */
function headLength(begun: Buffer): number {
  const second = begun[1];
  if (second === undefined) return 2;
  const short = second & 0x7f;
  return 2 + (longer[short] ?? 0) + (second & 0x80 ? 4 : 0);
}

function headOf(bytes: Buffer, isMasked: boolean): FrameHead {
  const [first = 0, second = 0] = bytes;
  const opcode = first & 0x0f;
  const isFinal = (first & 0x80) !== 0;
  const length = lengthOf(bytes, second & 0x7f);
  const hasMask = (second & 0x80) !== 0;
  const isControl = opcode >= opcodes.close;
  if ((first & 0x70) !== 0 || !known.includes(opcode) || hasMask !== isMasked) throw new BrokenFrame();
  if (isControl && (!isFinal || length > longestControl)) throw new BrokenFrame();
  return { isFinal, opcode, length, mask: hasMask ? Buffer.from(bytes.subarray(-4)) : undefined };
}

function lengthOf(bytes: Buffer, short: number): number {
  if (short === 126) return bytes.readUInt16BE(2);
  if (short < 126) return short;
  const length = bytes.readBigUInt64BE(2);
  if (length > BigInt(Number.MAX_SAFE_INTEGER)) throw new BrokenFrame();
  return Number(length);
}
