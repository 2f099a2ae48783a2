import { Duplex } from 'node:stream';
import type { Engine } from './engine.ts';
import { welcome } from './protocol.ts';

const terminate = 0x58;

/**
 * What `pg` takes for its network socket: carries the PostgreSQL protocol to the embedded database. Types,
 * errors and notifications are therefore those of `pg`, whichever engine answers.
 */
export class EmbeddedSocket extends Duplex {
  readonly #start: () => Promise<Engine>;
  #engine: Engine | undefined;
  #greeted = false;

  constructor(start: () => Promise<Engine>) {
    super();
    this.#start = start;
  }

  connect(): this {
    this.#start().then(
      (engine) => {
        // Given up while the engine started: nobody else may be kept waiting for its end.
        if (this.destroyed) return void engine.close();
        this.#engine = engine;
        void engine.ended.then(() => this.destroy(new Error('The embedded database has ended.')));
        this.emit('connect');
      },
      (error: Error) => this.destroy(error),
    );
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  override _read(): void {
    // Answers are pushed as they come; `pg` never pauses its socket.
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#send([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error) => void): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: () => void): void {
    this.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // The engine ends with its one connection, so that nothing of a broken session lives on in the next.
    Promise.resolve(this.#engine?.close()).then(
      () => done(error),
      (failed: Error) => done(error ?? failed),
    );
  }

  #send(chunks: Buffer[], done: (error?: Error) => void): void {
    const messages = chunks.filter((chunk) => chunk[0] !== terminate || !this.#greeted);
    if (!this.#greeted) {
      this.#greeted = true;
      messages.shift();
      this.push(welcome);
    }
    if (messages.length === 0 || this.#engine === undefined) return done();
    this.#engine.exchange(joined(messages)).then((answer) => {
      if (answer.length > 0) this.push(answer);
      done();
    }, done);
  }
}

/** A copy in memory of its own, which can be handed over to the thread. */
function joined(chunks: readonly Buffer[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}
