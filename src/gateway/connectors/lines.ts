/** Cuts a byte stream into lines, empty ones too, with a limit on how long one may grow. */
export class LineReader {
  #chunks: Buffer[] = [];
  #size = 0;
  readonly #limit: number;
  readonly #onLine: (line: string) => void;
  readonly #onOverflow: () => void;
  #overflowed = false;

  constructor(limit: number, onLine: (line: string) => void, onOverflow: () => void) {
    this.#limit = limit;
    this.#onLine = onLine;
    this.#onOverflow = onOverflow;
  }

  push(chunk: Buffer): void {
    let start = 0;
    while (!this.#overflowed) {
      const newline = chunk.indexOf(0x0a, start);
      if (newline < 0) break;
      this.#keep(chunk.subarray(start, newline));
      if (this.#overflowed) return;
      const line = (this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks))?.toString(
        'utf8',
      );
      this.#chunks = [];
      this.#size = 0;
      start = newline + 1;
      this.#onLine(line ?? '');
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  #keep(part: Buffer): void {
    this.#size += part.length;
    if (this.#size > this.#limit) {
      this.#overflowed = true;
      this.#chunks = [];
      this.#onOverflow();
      return;
    }
    this.#chunks.push(part);
  }
}
