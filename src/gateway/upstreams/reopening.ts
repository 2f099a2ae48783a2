import { OtherEraError } from './handshake.ts';

export interface Reopened {
  /** Somebody listens who would not open it by a call. */
  isWanted(): boolean;
  /** How long to wait, in milliseconds. */
  wait(): number;
  open(): Promise<unknown>;
  /** It was opened again by itself, and the server speaks another era by now. */
  onOtherEra(): void;
}

/** Opens a connection again by itself, for as long as it fails and is wanted. */
export class Reopening {
  readonly #connection: Reopened;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(connection: Reopened) {
    this.#connection = connection;
  }

  /** If anybody wants it. */
  soon(): void {
    if (this.#connection.isWanted()) this.start();
  }

  start(): void {
    if (this.#stopped || this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#connection.open().catch((error: unknown) => {
        if (error instanceof OtherEraError) this.#connection.onOtherEra();
        else this.soon();
      });
    }, this.#connection.wait()).unref();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
