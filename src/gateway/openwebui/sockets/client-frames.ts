import { Transform, type TransformCallback } from 'node:stream';
import { BrokenFrame, type FramePart, FrameReader, type Goodbye, opcodes, unmasked } from './frames.ts';
import { Gathered } from './gathered.ts';

/** Frames of one message that is read. Clients send it in one; browsers cut only what is long, and not so small. */
const mostFrames = 64;
/** How long a client may take to finish a message that is read: as long as that, what it said is held. */
const unfinishedMs = 10_000;

/** Judges what a client says, before it goes on. */
export interface Listener {
  /** The longest message that is read, in bytes. */
  readonly longestRead: number;
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

const goodbyes = {
  broken: { code: 1002, reason: 'This is not what a WebSocket looks like.' },
  inBits: { code: 1008, reason: 'A message has too many pieces.' },
  unfinished: { code: 1008, reason: 'A message took too long.' },
} as const satisfies Record<string, Goodbye>;

/** What a client says, on its way: each text message goes on when it has been judged, everything else at once. */
export class ClientFrames extends Transform {
  readonly #reader = new FrameReader({ isMasked: true });
  readonly #listener: Listener;
  readonly #end: (goodbye: Goodbye) => void;
  /** What becomes of the message that is under way. */
  #message: 'none' | 'read' | 'passed on' = 'none';
  /** Of a message that is read, as it came. */
  readonly #held = new Gathered();
  #frames = 0;
  #saidBytes = 0;
  /** What may go on. */
  readonly #free = new Gathered();
  #timer: NodeJS.Timeout | undefined;
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
        this.#stop();
        if (error instanceof SocketOver) this.#end(error.goodbye);
        else if (error instanceof BrokenFrame) this.#end(goodbyes.broken);
        else return done(error instanceof Error ? error : new Error('unknown', { cause: error }));
        done();
      },
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#stop();
    done(error);
  }

  async #take(chunk: Buffer): Promise<void> {
    try {
      for (const part of this.#reader.parts(chunk)) {
        if (this.#isOver) return;
        const judged = this.#part(part);
        if (!judged) continue;
        this.#goOn();
        await judged;
      }
      if (this.#message === 'read' && !this.#isOver) this.#watch();
    } finally {
      this.#goOn();
    }
  }

  #part(part: FramePart): Promise<void> | void {
    // Between the frames of a message too, also of one that is held: nothing of that has gone on.
    if (part.head.opcode >= opcodes.close) return this.#free.add(part.bytes);
    if (part.isHead) this.#begin(part);
    if (this.#message === 'read') this.#hold(part);
    else this.#free.add(part.bytes);
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

  #hold({ bytes, isHead }: FramePart): void {
    this.#held.add(bytes);
    if (isHead) this.#frames++;
    else this.#saidBytes += bytes.length;
    if (this.#frames > mostFrames) throw new SocketOver(goodbyes.inBits);
    if (this.#saidBytes <= this.#listener.longestRead) return;
    this.#listener.heardLong(this.#text());
    this.#message = 'passed on';
    this.#letGo();
  }

  #judge(): Promise<void> | void {
    this.#unwatch();
    const judged = this.#listener.heard(this.#text());
    return judged ? judged.then(() => this.#letGo()) : this.#letGo();
  }

  #text(): string {
    const said = new Gathered();
    for (const part of new FrameReader({ isMasked: true }).parts(this.#held.bytes))
      if (!part.isHead) said.add(unmasked(part));
    return said.bytes.toString();
  }

  #letGo(): void {
    this.#unwatch();
    this.#free.add(this.#held.take());
    this.#frames = 0;
    this.#saidBytes = 0;
  }

  #goOn(): void {
    const bytes = this.#free.take();
    if (bytes.length > 0 && !this.destroyed) this.push(bytes);
  }

  #watch(): void {
    this.#timer ??= setTimeout(() => {
      // The rest may be here, and waits until Open WebUI takes what came before it.
      if (this.readableLength >= this.readableHighWaterMark) return void this.#timer?.refresh();
      this.#stop();
      this.#end(goodbyes.unfinished);
    }, unfinishedMs).unref();
  }

  #unwatch(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Nothing more goes on. */
  #stop(): void {
    this.#isOver = true;
    this.#unwatch();
    this.#held.take();
  }
}
