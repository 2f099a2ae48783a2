import { randomUUID } from 'node:crypto';
import type { Log } from '../log.ts';
import type { Sealer } from '../sealer.ts';
import { type Bus, longestMessage, NoAnswer, type OpenTransport, type Transport } from './contract.ts';

interface Envelope {
  readonly from: string;
  readonly topic: string;
  readonly message: unknown;
  /** Of a question, and of the answer to it. */
  readonly id?: string;
}

type Handler = (message: unknown, from: string) => void;
type Answerer = (message: unknown, from: string) => Promise<unknown> | unknown;

const answerTopic = 'bus.answer';
const mostAsked = 10_000;

/** A bus over any transport: everything is sealed, so that whoever can read the transport learns nothing. */
export async function createBus(o: { open: OpenTransport; sealer: Sealer; log: Log }): Promise<Bus> {
  const bus = new SealedBus(o.sealer, o.log);
  await bus.start(o.open);
  return bus;
}

class SealedBus implements Bus {
  readonly node = randomUUID().replaceAll('-', '');
  readonly #sealer: Sealer;
  readonly #log: Log;
  readonly #handlers = new Map<string, Set<Handler>>();
  readonly #answerers = new Map<string, Answerer>();
  readonly #asked = new Map<string, (outcome: { ok: boolean; value: unknown }) => void>();
  #transport: Transport | undefined;
  #foreign = 0;
  #closed = false;

  constructor(sealer: Sealer, log: Log) {
    this.#sealer = sealer;
    this.#log = log;
    this.on(answerTopic, (message) => this.#answered(message));
  }

  async start(open: OpenTransport): Promise<void> {
    this.#transport = await open(this.node, (text) => this.#receive(text));
  }

  send(to: string, topic: string, message: unknown): void {
    this.#publish(to, { from: this.node, topic, message });
  }

  on(topic: string, handler: Handler): () => void {
    const all = this.#handlers.get(topic) ?? new Set();
    this.#handlers.set(topic, all.add(handler));
    return () => void all.delete(handler);
  }

  ask(node: string, topic: string, message: unknown, timeoutMs: number): Promise<unknown> {
    if (this.#closed || this.#asked.size >= mostAsked) return Promise.reject(new NoAnswer(node, topic));
    const id = randomUUID();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#asked.delete(id);
        reject(new NoAnswer(node, topic));
      }, timeoutMs);
      this.#asked.set(id, ({ ok, value }) => {
        clearTimeout(timer);
        this.#asked.delete(id);
        if (ok) resolve(value);
        else reject(new NoAnswer(node, topic));
      });
      this.#publish(node, { from: this.node, topic, message, id });
    });
  }

  answer(topic: string, handler: Answerer): () => void {
    if (this.#answerers.has(topic)) throw new Error(`"${topic}" is answered already`);
    this.#answerers.set(topic, handler);
    return () => void this.#answerers.delete(topic);
  }

  awaySince(): Date | null {
    return this.#transport?.awaySince() ?? null;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#handlers.clear();
    this.#answerers.clear();
    for (const finish of [...this.#asked.values()]) finish({ ok: false, value: undefined });
    await this.#transport?.close();
  }

  #publish(to: string, envelope: Envelope): void {
    if (this.#closed) return undefined;
    // A process that asks itself need not go through the transport, and is not on `everyone` either.
    if (to === this.node) return queueMicrotask(() => this.#deliver(envelope));
    const text = this.#sealer.seal(JSON.stringify(envelope));
    if (text.length <= longestMessage) return this.#transport?.publish(to, text);
    this.#log.warn(
      { topic: envelope.topic, bytes: text.length },
      'a message between processes was too long to be sent',
    );
  }

  #receive(text: string): void {
    const opened = this.#sealer.open(text);
    if (opened === undefined) {
      // Two installations may share one Redis: said once, or it would be said for each message of the other.
      if (this.#foreign++ > 0) return;
      return this.#log.warn(
        'a message between processes was not sealed by this key; more are ignored in silence',
      );
    }
    const envelope: unknown = JSON.parse(opened);
    const known = envelope as Envelope; // authenticated: nobody but a bus wrote it
    if (known.from !== this.node) this.#deliver(known);
  }

  #deliver({ from, topic, message, id }: Envelope): void {
    if (id !== undefined) return void this.#answerTo(from, topic, message, id);
    for (const handler of this.#handlers.get(topic) ?? []) {
      try {
        handler(message, from);
      } catch (error) {
        this.#log.error({ topic, err: error }, 'a message between processes could not be handled');
      }
    }
  }

  async #answerTo(from: string, topic: string, message: unknown, id: string): Promise<void> {
    const answerer = this.#answerers.get(topic);
    try {
      if (!answerer) throw new Error('nobody answers this topic');
      const value = (await answerer(message, from)) ?? null;
      this.send(from, answerTopic, { id, ok: true, value });
    } catch (error) {
      this.#log.debug({ topic, err: error }, 'a question of another process was not answered');
      this.send(from, answerTopic, { id, ok: false });
    }
  }

  #answered(message: unknown): void {
    const { id, ok, value } = message as { id: string; ok: boolean; value: unknown }; // only #answerTo sends these
    this.#asked.get(id)?.({ ok, value });
  }
}
