import { Transform, type TransformCallback } from 'node:stream';
import { BrokenFrame, closeFrame, FrameReader, type Goodbye, opcodes } from './frames.ts';

/** What Open WebUI says, on its way to the client. A goodbye of the gate fits in where a frame ends, and nowhere else. */
export class ServerFrames extends Transform {
  readonly #reader = new FrameReader({ isMasked: false });
  #isBetween = true;
  #hasEnded = false;
  #goodbye: Goodbye | undefined;

  /** The last word, as soon as there is room for it. */
  sayGoodbye(goodbye: Goodbye): void {
    this.#goodbye ??= goodbye;
    this.#endBetween();
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    try {
      for (const { bytes, head, isLast } of this.#reader.parts(chunk)) {
        if (this.#hasEnded) break;
        this.push(bytes);
        this.#isBetween = isLast;
        // Open WebUI has had the last word.
        if (isLast && head.opcode === opcodes.close) this.#hasEnded = true;
        this.#endBetween();
      }
      done();
    } catch (error) {
      done(error instanceof BrokenFrame ? error : new BrokenFrame('unreadable', { cause: error }));
    }
  }

  #endBetween(): void {
    if (!this.#goodbye || !this.#isBetween || this.#hasEnded) return;
    this.#hasEnded = true;
    this.push(closeFrame(this.#goodbye));
    this.push(null);
  }
}
