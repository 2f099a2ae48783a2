/** Bytes that come in pieces, in one buffer: a thousand small pieces cost no more than a long one. */
export class Gathered {
  #buffer: Buffer = Buffer.alloc(0);
  #length = 0;

  add(piece: Buffer): void {
    const length = this.#length + piece.length;
    if (length > this.#buffer.length) {
      const roomier = Buffer.alloc(Math.max(length, 2 * this.#buffer.length));
      this.#buffer.copy(roomier, 0, 0, this.#length);
      this.#buffer = roomier;
    }
    piece.copy(this.#buffer, this.#length);
    this.#length = length;
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** All of it; nothing is left. */
  take(): Buffer {
    const { bytes } = this;
    this.#buffer = Buffer.alloc(0);
    this.#length = 0;
    return bytes;
  }
}
