/** The text cannot be read any further than this line. Never quotes what stands there: it may be a secret. */
export class TextMistake extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}
