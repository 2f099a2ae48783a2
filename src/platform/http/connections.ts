import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';

/**
 * Connections of one address that have not sent a whole request head yet. Opening and waiting costs nothing (slowloris);
 * a proxy is one address for many people, and a thousand requests at once are for the rate limits to refuse.
 */
const mostSilent = 2_000;

/** How long connections without a request under way stay once nobody new is let in: one may be on its way, in milliseconds. */
const lingerMs = 1_000;

/** What is open on a server: who has said nothing yet, who waits for an answer, and how all of it comes to an end. */
export class Connections {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #answers = new Set<ServerResponse>();
  readonly #silent = new Map<string, number>();
  /** Address of each connection that has said nothing yet. */
  readonly #silentAt = new Map<Socket, string>();
  readonly #over = new WeakSet<Socket>();
  #isLeaving = false;

  constructor(server: Server, most = mostSilent) {
    this.#server = server;
    server.on('connection', (socket: Socket) => this.#opened(socket, most));
    // Before whoever answers.
    server.prependListener('request', (req, res) => this.#asked(req, res));
  }

  /** May a connection whose bytes make no sense be told so? Not where that would be taken for the answer to a request. */
  mayBeTold(socket: Socket): boolean {
    const waiting = [...this.#answers].filter((answer) => answer.req.socket === socket);
    return waiting.every(({ headersSent, req }) => !headersSent && !req.complete) && waiting.length < 2;
  }

  /** This answer is the last one on its connection, whatever has arrived on it already. */
  last(answer: ServerResponse): void {
    answer.shouldKeepAlive = false;
    this.#over.add(answer.req.socket);
  }

  /** Has the last answer on this connection been given? */
  isOver(socket: Socket): boolean {
    return this.#over.has(socket);
  }

  /**
   * Takes no new connections and lets requests under way finish: each answer says that it is the last on its connection,
   * so that no client sends another one into a connection that is about to close. After `ms`, `giveUp` is called, and
   * what is still open soon after that is closed. Resolves when nothing is open.
   */
  async drain(ms: number, giveUp: () => void): Promise<void> {
    this.#isLeaving = true;
    for (const answer of this.#answers) answer.shouldKeepAlive = false;
    const linger = setInterval(() => this.#server.closeIdleConnections(), Math.min(lingerMs, ms));
    const tired = setTimeout(giveUp, ms);
    const late = setTimeout(() => this.#closeAll(), ms + lingerMs);
    await this.#closed();
    for (const timer of [linger, tired, late]) clearTimeout(timer);
    // Ends what the server does by itself.
    this.#server.close();
  }

  #closed(): Promise<void> {
    // Not `http.Server.close`: it ends idle connections at once, where a request may be on its way already.
    return new Promise((resolve) => {
      NetServer.prototype.close.call(this.#server, () => resolve());
    });
  }

  #closeAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #opened(socket: Socket, most: number): void {
    const address = socket.remoteAddress ?? '';
    const silent = this.#silent.get(address) ?? 0;
    if (silent >= most) return void socket.destroy();
    this.#sockets.add(socket);
    this.#silent.set(address, silent + 1);
    this.#silentAt.set(socket, address);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#heard(socket);
    });
  }

  #asked({ socket, upgrade }: IncomingMessage & { upgrade?: boolean }, answer: ServerResponse): void {
    this.#heard(socket);
    // Its connection leaves HTTP, and is its part's own affair.
    if (upgrade) return;
    this.#answers.add(answer);
    answer.once('close', () => this.#answers.delete(answer));
    if (this.#isLeaving) answer.shouldKeepAlive = false;
  }

  #heard(socket: Socket): void {
    const address = this.#silentAt.get(socket);
    if (address === undefined) return;
    this.#silentAt.delete(socket);
    const left = (this.#silent.get(address) ?? 1) - 1;
    if (left > 0) this.#silent.set(address, left);
    else this.#silent.delete(address);
  }
}
