import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { longestMessage } from './contract.ts';

/** Room for text in one NOTIFY payload, which must be shorter than 8,000 bytes, beside what stands before it. */
const longestPart = 7_800;
const mostUnfinished = 1_000;
const mostBytes = 4 * longestMessage;
/** How long the rest of a message is waited for, in milliseconds. */
const patience = 30_000;

/** `text` (ASCII) in pieces that fit: `message id, number of this piece, number of pieces, piece`. */
export function inChunks(text: string): string[] {
  const id = randomUUID();
  const count = Math.max(1, Math.ceil(text.length / longestPart));
  return Array.from({ length: count }, (_, at) => {
    const part = text.slice(at * longestPart, (at + 1) * longestPart);
    return `${id},${at},${count},${part}`;
  });
}

interface Unfinished {
  readonly parts: (string | undefined)[];
  missing: number;
  bytes: number;
  readonly since: number;
}

/**
 * Puts messages together again. Whoever may use the database can send anything, so it is bounded in number, size and
 * time: when full, the oldest unfinished message is given up.
 */
export class Reassembly {
  readonly #clock: Clock;
  readonly #unfinished = new Map<string, Unfinished>();
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The whole text when this was its last missing piece. */
  take(payload: string): string | undefined {
    const [, id = '', index, total, part = ''] =
      /^([\da-f-]{36}),(\d{1,5}),(\d{1,5}),(.*)$/.exec(payload) ?? [];
    const at = Number(index);
    const count = Number(total);
    if (id === '' || !(at < count) || count > Math.ceil(longestMessage / longestPart)) return undefined;
    if (count === 1) return part;
    const message = this.#unfinished.get(id) ?? this.#begin(id, count);
    if (message.parts.length !== count || message.parts[at] !== undefined) return undefined;
    message.parts[at] = part;
    message.bytes += part.length;
    this.#bytes += part.length;
    if (--message.missing === 0) {
      this.#forget(id, message);
      return message.parts.join('');
    }
    this.#makeRoom();
    return undefined;
  }

  #begin(id: string, count: number): Unfinished {
    const parts = Array.from<string | undefined>({ length: count });
    const made = { parts, missing: count, bytes: 0, since: this.#clock() };
    this.#unfinished.set(id, made);
    return made;
  }

  #makeRoom(): void {
    const before = this.#clock() - patience;
    for (const [id, message] of this.#unfinished) {
      const isFull = this.#unfinished.size > mostUnfinished || this.#bytes > mostBytes;
      if (!isFull && message.since >= before) return;
      this.#forget(id, message);
    }
  }

  #forget(id: string, message: Unfinished): void {
    this.#unfinished.delete(id);
    this.#bytes -= message.bytes;
  }
}
