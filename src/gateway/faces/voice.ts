import { type AnswerBody, textOf } from './answer-body.ts';
import type { CallStream } from './call-stream.ts';
import type { Reply } from './reply.ts';

/** Where one message is answered: the whole HTTP answer is its own, or it shares it with the others of a batch. */
export interface Voice {
  /** The event stream, if it has begun. */
  readonly stream: CallStream | undefined;
  /** The event stream; begun with `make` when there is none yet. */
  open(make: (reply: Reply) => CallStream): CallStream;
  /** The last word about the message. */
  say(status: number, body: AnswerBody, headers: Readonly<Record<string, string>>): void;
  /** The last word, where none is said. */
  saveBreath(status: number): void;
}

/** The HTTP answer to a POST of one message. */
export class OwnVoice implements Voice {
  readonly #reply: Reply;
  stream: CallStream | undefined;

  constructor(reply: Reply) {
    this.#reply = reply;
  }

  open(make: (reply: Reply) => CallStream): CallStream {
    return (this.stream ??= make(this.#reply));
  }

  say(status: number, body: AnswerBody, headers: Readonly<Record<string, string>>): void {
    if (this.stream) this.stream.finish(textOf(body));
    else this.#reply.json(status, body, headers);
  }

  saveBreath(status: number): void {
    if (this.stream) this.stream.abandon();
    else this.#reply.empty(status);
  }
}

/** The HTTP answer to a batch (2025-03-26 basic/transports.mdx): one array, or one stream when something came first. */
export class SharedVoice implements Voice {
  readonly #reply: Reply;
  readonly #texts: string[] = [];
  #left: number;
  stream: CallStream | undefined;

  constructor(reply: Reply, messages: number) {
    this.#reply = reply;
    this.#left = messages;
  }

  open(make: (reply: Reply) => CallStream): CallStream {
    if (this.stream) return this.stream;
    const stream = make(this.#reply);
    this.stream = stream;
    for (const text of this.#texts.splice(0)) stream.send(text);
    return stream;
  }

  /** Each message has its own status and headers; what they share has none of them. */
  say(_status: number, body: AnswerBody): void {
    const text = textOf(body);
    if (this.stream) this.stream.send(text);
    else this.#texts.push(text);
    this.#settled();
  }

  saveBreath(): void {
    this.#settled();
  }

  #settled(): void {
    if (--this.#left > 0) return;
    if (this.stream) this.stream.abandon();
    else if (this.#texts.length === 0) this.#reply.empty(202);
    else this.#reply.json(200, `[${this.#texts.join(',')}]`);
  }
}
