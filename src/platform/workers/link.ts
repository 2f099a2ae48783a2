import { NoAnswer } from '../bus/contract.ts';
import { isWire, type Wire } from './wire.ts';

type Answerer = (message: unknown) => unknown;

/** Questions between a primary and one of its workers, over the pipe that only the two of them hold. */
export class Link {
  readonly #say: (wire: Wire) => void;
  readonly #answerers = new Map<string, Answerer>();
  readonly #asked = new Map<number, (wire: Wire | undefined) => void>();
  #last = 0;
  #closed = false;

  constructor(say: (wire: Wire) => void) {
    this.#say = say;
  }

  /** What arrived on the pipe. */
  hear(value: unknown): void {
    if (this.#closed || !isWire(value)) return;
    if (value.kind === 'question') return void this.#answer(value);
    this.#asked.get(value.id)?.(value);
  }

  answer(topic: string, answerer: Answerer): void {
    this.#answerers.set(topic, answerer);
  }

  /** Rejects with `NoAnswer` after `timeoutMs`, when the other side is gone, or when it could not answer. */
  ask(topic: string, message: unknown, timeoutMs: number): Promise<unknown> {
    if (this.#closed) return Promise.reject(new NoAnswer('beside this one', topic));
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      const settle = (wire: Wire | undefined) => {
        clearTimeout(timer);
        this.#asked.delete(id);
        if (wire?.kind === 'answer' && wire.ok) resolve(wire.value);
        else reject(new NoAnswer('beside this one', topic));
      };
      const timer = setTimeout(() => settle(undefined), timeoutMs);
      this.#asked.set(id, settle);
      this.#say({ kind: 'question', id, topic, value: message });
    });
  }

  close(): void {
    this.#closed = true;
    for (const settle of [...this.#asked.values()]) settle(undefined);
  }

  async #answer({ id, topic, value }: Wire & { kind: 'question' }): Promise<void> {
    try {
      const answerer = this.#answerers.get(topic);
      if (!answerer) throw new Error(`nobody answers "${topic}"`);
      const answer = (await answerer(value)) ?? null;
      if (!this.#closed) this.#say({ kind: 'answer', id, ok: true, value: answer });
    } catch {
      // Whoever asked hears that there is no answer; why is the answerer's own to log.
      if (!this.#closed) this.#say({ kind: 'answer', id, ok: false, value: null });
    }
  }
}
