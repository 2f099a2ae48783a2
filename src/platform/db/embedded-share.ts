// The embedded database for other processes of this machine: a socket that speaks PostgreSQL's protocol. The engine has
// one session, so connections take turns, one transaction each, and each finds role and scope as it left them.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type pg from 'pg';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { SharedDatabase } from './database.ts';
import type { Engine } from './engine.ts';
import {
  closesBatch,
  commandDone,
  idle,
  messagesIn,
  type Part,
  queryText,
  statusAfter,
  welcome,
} from './protocol.ts';

export interface ShareOptions {
  /** Its one connection is the turn. */
  readonly pool: pg.Pool;
  /** The engine behind that connection. */
  engine(): Promise<Engine>;
  readonly log: Log;
}

/** `pg` adds this to the directory that it is given as a host. */
const socketName = '.s.PGSQL.5432';

export async function shareEmbedded(o: ShareOptions): Promise<SharedDatabase> {
  // Not in the data directory, whose path may be too long for a socket. Nobody else may look into this one.
  const directory = await mkdtemp(path.join(tmpdir(), 'toolgate-db-'));
  const sessions = new Set<Session>();
  const tellAll = (notification: Buffer) => {
    for (const session of sessions) session.tell(notification);
  };
  const server = createServer((socket) => {
    const session = new Session(o, socket, tellAll);
    sessions.add(session);
    socket.once('close', () => sessions.delete(session));
  });
  server.listen(path.join(directory, socketName));
  await once(server, 'listening');
  return {
    url: `postgres://toolgate@localhost/toolgate?host=${encodeURIComponent(directory)}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const session of sessions) session.end();
      await closed;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

interface Standing {
  readonly role: string;
  readonly scope: string;
}

/** While it has the turn. */
interface Turn {
  readonly client: pg.PoolClient;
  readonly engine: Engine;
  /** How the connection stood before, and has to again. */
  readonly before: Standing;
}

/** One connection of another process. */
class Session {
  readonly #o: ShareOptions;
  readonly #socket: Socket;
  readonly #tellAll: (notification: Buffer) => void;
  #unread: Buffer = Buffer.alloc(0);
  #greeted = false;
  #batch: Buffer[] = [];
  #standing: Standing = { role: 'none', scope: '' };
  #turn: Turn | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(o: ShareOptions, socket: Socket, tellAll: (notification: Buffer) => void) {
    this.#o = o;
    this.#socket = socket;
    this.#tellAll = tellAll;
    socket.on('data', (bytes: Buffer) => this.#hear(bytes));
    socket.on('error', () => undefined); // 'close' follows.
    socket.once('close', () => this.#then(() => this.#leave()));
  }

  tell(notification: Buffer): void {
    // In the middle of an answer it would be read as a part of it; between two messages it may stand anywhere.
    if (this.#greeted && !this.#socket.destroyed) this.#socket.write(notification);
  }

  end(): void {
    this.#socket.destroy();
  }

  #hear(bytes: Buffer): void {
    this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    const { parts, rest } = messagesIn(this.#unread, this.#greeted);
    this.#unread = rest;
    for (const part of parts) this.#take(part);
  }

  #take(part: Part): void {
    if (!this.#greeted) {
      this.#greeted = true;
      return void this.#socket.write(welcome);
    }
    if (part.type === 'X') return this.end();
    this.#batch.push(part.bytes);
    if (!closesBatch(part.type)) return;
    const batch = this.#batch.splice(0);
    this.#then(() => this.#serve(batch, part));
  }

  #then(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error: unknown) => {
      this.#o.log.warn({ error: messageOf(error) }, 'the embedded database failed for another process');
      this.#turn?.client.release(true);
      this.#turn = undefined;
      // It connects anew, and listens again.
      this.end();
    });
  }

  async #serve(batch: readonly Buffer[], last: Part): Promise<void> {
    if (this.#socket.destroyed) return;
    // All share what they listen to; one that stops must not stop the others.
    if (/^unlisten\b/i.test(queryText(last)))
      return void this.#socket.write(Buffer.concat([commandDone('UNLISTEN'), idle]));
    this.#turn ??= await this.#begin();
    const answer = Buffer.from(await this.#turn.engine.exchange(new Uint8Array(Buffer.concat(batch))));
    const { parts } = messagesIn(answer, true);
    const news = parts.filter(({ type }) => type === 'A');
    this.#socket.write(Buffer.concat(parts.filter(({ type }) => type !== 'A').map(({ bytes }) => bytes)));
    if (statusAfter(parts) === 'idle') await this.#leave();
    for (const { bytes } of news) this.#tellAll(bytes);
  }

  async #begin(): Promise<Turn> {
    const client = await this.#o.pool.connect();
    try {
      const before = await stand(client, this.#standing);
      return { client, before, engine: await this.#o.engine() };
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  async #leave(): Promise<void> {
    const turn = this.#turn;
    if (!turn) return;
    const { client, before } = turn;
    // It went in the middle of a transaction.
    if (this.#socket.destroyed) await client.query('rollback');
    this.#standing = await stand(client, before);
    this.#turn = undefined;
    client.release();
  }
}

/** Changes role and scope; resolves with what they were. A select list is worked out from left to right. */
async function stand(client: pg.PoolClient, { role, scope }: Standing): Promise<Standing> {
  const { rows } = await client.query<Standing>(
    `select current_setting('role') as role, coalesce(current_setting('toolgate.scope', true), '') as scope,
      set_config('role', $1, false), set_config('toolgate.scope', $2, false)`,
    [role, scope],
  );
  return rows[0] ?? { role: 'none', scope: '' };
}
