import { Transform, type TransformCallback } from 'node:stream';
import { BrokenFrame, type FramePart, FrameReader, type Goodbye, opcodes, unmasked } from './frames.ts';

/** The longest message that is read, in bytes; what names somebody has a few hundred. */
export const longestRead = 64 * 1024;
/** Of a message that is read, together with what came in between. */
const longestHeld = 2 * longestRead;

/** Judges what a client says, before it goes on. */
export interface Listener {
  /** A whole message. Throws or rejects with a `SocketOver`. */
  heard(text: string): Promise<void> | void;
  /** How a message begins that is too long to be read. Throws a `SocketOver`. */
  heardLong(start: string): void;
}

/** What was said ends the socket. */
export class SocketOver extends Error {
  readonly goodbye: Goodbye;

  constructor(goodbye: Goodbye) {
    super(goodbye.reason);
    this.goodbye = goodbye;
  }
}

const broken: Goodbye = { code: 1002, reason: 'This is not what a WebSocket looks like.' };

/** What a client says, on its way: each text message goes on when it has been judged, everything else at once. */
export class ClientFrames extends Transform {
  readonly #reader = new FrameReader({ isMasked: true });
  readonly #listener: Listener;
  readonly #end: (goodbye: Goodbye) => void;
  /** What becomes of the message that is under way. */
  #message: 'none' | 'read' | 'passed on' = 'none';
  #held: Buffer[] = [];
  #heldBytes = 0;
  #said: Buffer[] = [];
  #saidBytes = 0;
  #isOver = false;

  constructor(listener: Listener, end: (goodbye: Goodbye) => void) {
    super();
    this.#listener = listener;
    this.#end = end;
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    this.#take(chunk).then(
      () => done(),
      (error: unknown) => {
        this.#isOver = true;
        if (error instanceof SocketOver) this.#end(error.goodbye);
        else if (error instanceof BrokenFrame) this.#end(broken);
        else return done(error instanceof Error ? error : new Error('unknown', { cause: error }));
        done();
      },
    );
  }

  async #take(chunk: Buffer): Promise<void> {
    for (const part of this.#reader.parts(chunk)) {
      if (this.#isOver) return;
      const judged = this.#part(part);
      if (judged) await judged;
    }
  }

  #part(part: FramePart): Promise<void> | void {
    if (part.head.opcode >= opcodes.close) return this.#pass(part.bytes);
    if (part.isHead) this.#begin(part);
    this.#pass(part.bytes);
    if (this.#message === 'read' && !part.isHead) this.#read(part);
    if (!part.isLast || !part.head.isFinal) return;
    const wasRead = this.#message === 'read';
    this.#message = 'none';
    if (wasRead) return this.#judge();
  }

  #begin({ head }: FramePart): void {
    const isMore = head.opcode === opcodes.more;
    if (isMore !== (this.#message !== 'none')) throw new BrokenFrame();
    if (!isMore) this.#message = head.opcode === opcodes.text ? 'read' : 'passed on';
  }

  /** On, or to what waits to be judged. */
  #pass(bytes: Buffer): void {
    if (this.#message !== 'read') return void this.push(bytes);
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > longestHeld) throw new BrokenFrame();
  }

  #read(part: FramePart): void {
    const room = longestRead - this.#saidBytes;
    this.#saidBytes += part.bytes.length;
    this.#said.push(unmasked({ ...part, bytes: part.bytes.subarray(0, room) }));
    if (part.bytes.length <= room) return;
    this.#listener.heardLong(this.#text());
    this.#message = 'passed on';
    this.#letGo();
  }

  async #judge(): Promise<void> {
    await this.#listener.heard(this.#text());
    this.#letGo();
  }

  #text(): string {
    return Buffer.concat(this.#said).toString();
  }

  #letGo(): void {
    for (const bytes of this.#held) this.push(bytes);
    this.#held = [];
    this.#said = [];
    this.#heldBytes = 0;
    this.#saidBytes = 0;
  }
}
