/**
 * Messages between the processes (nodes) of one installation. A message may get lost: whoever needs an answer asks
 * for one and has a limit. What is sent is JSON; what arrives was sent by a process with the same master key.
 */
export interface Bus {
  /** Name of this process, made anew at each start. Letters and digits only. */
  readonly node: string;
  /** Sends to one process, or to all others. Never throws and never waits. */
  send(to: string | typeof everyone, topic: string, message: unknown): void;
  /** Calls back with each message of a topic. */
  on(topic: string, handler: (message: unknown, from: string) => void): () => void;
  /** Asks one process and waits for its answer; rejects with `NoAnswer` after `timeoutMs`, or when it threw. */
  ask(node: string, topic: string, message: unknown, timeoutMs: number): Promise<unknown>;
  /** Answers what other processes ask about a topic. One handler for each topic. */
  answer(topic: string, handler: (message: unknown, from: string) => Promise<unknown> | unknown): () => void;
  /** Since when messages get through to nobody; null while they do. */
  awaySince(): Date | null;
  close(): Promise<void>;
}

export const everyone = '*';

/** Longest text of one message as a transport sees it, in bytes; a longer one is refused. */
export const longestMessage = 16 * 1024 * 1024;

/** No process of that name answered: it is gone, or cannot be reached. */
export class NoAnswer extends Error {
  constructor(node: string, topic: string, options?: ErrorOptions) {
    super(`The process ${node} did not answer "${topic}".`, options);
    this.name = 'NoAnswer';
  }
}

/** How messages travel. `text` is sealed already (ASCII); a transport may lose it, and never changes it. */
export interface Transport {
  /** To one process or to `everyone`; delivering it to the sender too does no harm. Never throws, never waits. */
  publish(to: string, text: string): void;
  /** Since when nothing gets through; null while it does. */
  awaySince(): Date | null;
  close(): Promise<void>;
}

/** Makes the transport of a process; `receive` is called with each text that is addressed to it or to everyone. */
export type OpenTransport = (node: string, receive: (text: string) => void) => Promise<Transport>;
