import type { Readable } from 'node:stream';

const kept = 4_096;
/** What is read of a stream in a second before its writer has to wait, in bytes; a burst may have eight times that. */
const perSecond = 8 * 1024 * 1024;
const burst = 8 * perSecond;

/**
 * The end of what a server writes to stderr, without the secrets that it was given. Everything is read, so that a
 * server that says a lot is not blocked by us and does not fill our memory; one that never stops is slowed down, so
 * that reading it does not keep us from everybody else.
 */
export class LastWords {
  readonly #secrets: readonly string[];
  readonly #stream: Readable;
  readonly #onChange: (() => void) | undefined;
  #text = '';
  #allowance = burst;
  #since = performance.now();
  #waiting: NodeJS.Timeout | undefined;

  constructor(stream: Readable, secrets: readonly string[], onChange?: () => void) {
    this.#stream = stream;
    this.#secrets = secrets.filter((secret) => secret !== '');
    this.#onChange = onChange;
    stream.on('data', (chunk: Buffer) => this.#hear(chunk));
    stream.on('close', () => clearTimeout(this.#waiting));
  }

  text(): string {
    const longest = Math.max(0, ...this.#secrets.map((secret) => secret.length));
    // What was cut may begin with half a secret, which nobody would recognize.
    const whole = this.#text.slice(this.#text.length < kept ? 0 : longest);
    return this.#secrets.reduce((text, secret) => text.replaceAll(secret, '[secret]'), whole);
  }

  #hear(chunk: Buffer): void {
    this.#text = (this.#text + chunk.subarray(-kept).toString('utf8')).slice(-kept);
    this.#onChange?.();
    const now = performance.now();
    this.#allowance = Math.min(burst, this.#allowance + ((now - this.#since) / 1000) * perSecond);
    this.#since = now;
    this.#allowance -= chunk.length;
    if (this.#allowance > 0 || this.#waiting) return;
    this.#stream.pause();
    this.#waiting = setTimeout(() => {
      this.#waiting = undefined;
      this.#stream.resume();
    }, 250);
  }
}
