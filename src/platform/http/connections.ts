import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';

/**
 * Connections of one address that have not sent a whole request head yet. Opening and waiting costs nothing (slowloris);
 * a proxy is one address for many people, and a thousand requests at once are for the rate limits to refuse.
 */
const mostSilent = 2_000;

/** How long connections without a request under way stay once nobody new is let in: one may be on its way, in milliseconds. */
const lingerMs = 1_000;

/** How many connections one address may have. */
export interface Most {
  /** That have said nothing yet, where it is not the usual number. */
  readonly silent?: number | undefined;
  /** In all. Absent: any number. */
  readonly open?: (() => number) | undefined;
  /** Addresses that many clients are behind, who may have any number in all. */
  readonly isShared?: (address: string) => boolean;
}

/** What is open on a server: who has said nothing yet, who waits for an answer, and how all of it comes to an end. */
export class Connections {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #answers = new Set<ServerResponse>();
  readonly #most: Most;
  readonly #openOf = new Map<string, number>();
  readonly #silent = new Map<string, number>();
  /** Address of each connection that has said nothing yet. */
  readonly #silentAt = new Map<Socket, string>();
  readonly #over = new WeakSet<Socket>();
  #isLeaving = false;

  constructor(server: Server, most: Most = {}) {
    this.#server = server;
    this.#most = most;
    server.on('connection', (socket: Socket) => this.#opened(socket));
    // Before whoever answers.
    server.prependListener('request', (req, res) => this.#asked(req, res));
  }

  /** May a connection whose bytes make no sense be told so? Not where that would be taken for the answer to a request. */
  mayBeTold(socket: Socket): boolean {
    const waiting = this.#answersOn(socket);
    return waiting.every(({ headersSent, req }) => !headersSent && !req.complete) && waiting.length < 2;
  }

  /** Is a request on this connection still being answered? */
  isAnswering(socket: Socket): boolean {
    return this.#answersOn(socket).length > 0;
  }

  /** Ends it at once, and whatever is under way on it: Node forgets answers whose turn had not come. */
  cut(socket: Socket): void {
    for (const answer of this.#answersOn(socket)) answer.destroy();
    socket.destroy();
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
   * so that no client sends another one into a connection that is about to close. `quiet` is called when no request is
   * under way any more, or else after `ms`, just before `giveUp`; what is still open soon after that is closed. Resolves
   * when nothing is open.
   */
  async drain(ms: number, { quiet, giveUp }: { quiet(): void; giveUp(): void }): Promise<void> {
    this.#isLeaving = true;
    for (const answer of this.#answers) answer.shouldKeepAlive = false;
    const linger = setInterval(
      () => {
        this.#server.closeIdleConnections();
        if (this.#answers.size === 0) quiet();
      },
      Math.min(lingerMs, ms),
    );
    const tired = setTimeout(() => {
      quiet();
      giveUp();
    }, ms);
    const late = setTimeout(() => this.#closeAll(), ms + lingerMs);
    await this.#closed();
    for (const timer of [linger, tired, late]) clearTimeout(timer);
    // Ends what the server does by itself.
    this.#server.close();
  }

  #answersOn(socket: Socket): ServerResponse[] {
    return [...this.#answers].filter((answer) => answer.req.socket === socket);
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

  #opened(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    if (!this.#hasRoom(address)) return void socket.destroy();
    this.#sockets.add(socket);
    change(this.#openOf, address, 1);
    change(this.#silent, address, 1);
    this.#silentAt.set(socket, address);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      change(this.#openOf, address, -1);
      this.#heard(socket);
    });
  }

  #hasRoom(address: string): boolean {
    const { silent = mostSilent, open, isShared } = this.#most;
    if ((this.#silent.get(address) ?? 0) >= silent) return false;
    return open === undefined || (this.#openOf.get(address) ?? 0) < open() || isShared?.(address) === true;
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
    change(this.#silent, address, -1);
  }
}

function change(counts: Map<string, number>, address: string, by: 1 | -1): void {
  const count = (counts.get(address) ?? 0) + by;
  if (count > 0) counts.set(address, count);
  else counts.delete(address);
}
