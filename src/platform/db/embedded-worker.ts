// Runs PGlite in a thread of its own, so that a long query never blocks the event loop of the program.
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import type { EngineAnswer, EngineRequest } from './engine.ts';

const port = parentPort;
if (port === null) throw new Error('This file runs as a worker thread.');

const answer = (message: EngineAnswer) =>
  port.postMessage(message, message.bytes ? [message.bytes.buffer] : []);

const database = await PGlite.create(String(workerData));
answer({ id: 0 });

const handlers: Record<
  EngineRequest['kind'],
  (request: EngineRequest) => Promise<Uint8Array<ArrayBuffer> | undefined>
> = {
  // A copy: the answer may be a view into memory that PGlite uses again.
  protocol: async ({ bytes }) => new Uint8Array(await database.execProtocolRaw(bytes ?? new Uint8Array())),
  dump: async () => new Uint8Array(await (await database.dumpDataDir('none')).arrayBuffer()),
  close: async () => {
    await database.close();
    return undefined;
  },
};

// One after the other: the protocol is a conversation.
let previous = Promise.resolve();
port.on('message', (request: EngineRequest) => {
  previous = previous.then(async () => {
    const bytes = await handlers[request.kind](request);
    answer(bytes ? { id: request.id, bytes } : { id: request.id });
    if (request.kind === 'close') port.close();
  });
  // SQL errors are ordinary answers. What rejects here is PGlite itself failing, and nothing it says after
  // that can be trusted: the uncaught rejection ends the thread, and the next connection starts a new one.
});
