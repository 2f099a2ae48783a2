import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

export interface EngineRequest {
  id: number;
  kind: 'protocol' | 'dump' | 'close';
  bytes?: Uint8Array<ArrayBuffer>;
}

/** `id` is that of the request; 0 says that the database is open. */
export interface EngineAnswer {
  id: number;
  bytes?: Uint8Array<ArrayBuffer>;
}

/** PGlite in its thread. */
export interface Engine {
  /** Sends messages of the PostgreSQL protocol and resolves with what the server says to them. */
  exchange(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
  /** The data directory as a tar archive, as it would be found after a crash at this moment. */
  dump(): Promise<Uint8Array>;
  close(): Promise<void>;
  /** Resolves when the thread has ended, for whatever reason. */
  readonly ended: Promise<void>;
}

const openTimeoutMs = 120_000;
const closeTimeoutMs = 10_000;

/** Opens (or first creates) the database in `directory`; rejects with what PGlite says when it cannot. */
export async function startEngine(directory: string): Promise<Engine> {
  const waiting = new Map<number, PromiseWithResolvers<Uint8Array>>();
  // No flags of this process: test runners and debuggers add some that a thread cannot have.
  const worker = new Worker(new URL('./embedded-worker.ts', import.meta.url), {
    workerData: directory,
    execArgv: [],
  });
  let failure = new Error('The embedded database has ended.');
  let exited = false;
  let lastId = 0;
  worker.on('error', (error) => {
    failure = new Error('The embedded database has failed.', { cause: error });
  });
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      exited = true;
      for (const { reject } of waiting.values()) reject(failure);
      waiting.clear();
      resolve();
    });
  });
  worker.on('message', ({ id, bytes }: EngineAnswer) => {
    waiting.get(id)?.resolve(bytes ?? new Uint8Array());
    waiting.delete(id);
  });

  function ask(kind: EngineRequest['kind'], bytes?: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    const answer = Promise.withResolvers<Uint8Array>();
    if (exited) return Promise.reject(failure);
    lastId += 1;
    waiting.set(lastId, answer);
    const request: EngineRequest = bytes ? { id: lastId, kind, bytes } : { id: lastId, kind };
    worker.postMessage(request, bytes ? [bytes.buffer] : []);
    return answer.promise;
  }

  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    // Nothing is lost when the thread is ended the hard way: what was acknowledged is in the log on disk.
    const closed = ask('close').catch(() => undefined);
    await Promise.race([closed.then(() => ended), sleep(closeTimeoutMs, undefined, { ref: false })]);
    await worker.terminate();
  }

  const opened = Promise.withResolvers<Uint8Array>();
  waiting.set(0, opened);
  const timer = setTimeout(() => {
    failure = new Error(`The embedded database did not open within ${openTimeoutMs / 1000} seconds.`);
    void worker.terminate();
  }, openTimeoutMs);
  await opened.promise.finally(() => clearTimeout(timer));
  return {
    exchange: (bytes) => (closing ? Promise.reject(failure) : ask('protocol', bytes)),
    dump: () => (closing ? Promise.reject(failure) : ask('dump')),
    close: () => (closing ??= close()),
    ended,
  };
}
