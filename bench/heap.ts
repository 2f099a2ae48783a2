import type { Running } from './processes.ts';

/**
 * Bytes of memory that a Node process holds after a garbage collection: JavaScript heap and buffers. Asked through
 * the inspector, which is opened for the purpose and closes nothing; the process must have `--inspect-port=0`.
 */
export async function heapOf(server: Running): Promise<number> {
  const url = await inspectorOf(server);
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error(`the inspector at ${url} does not answer`));
  });
  let id = 0;
  const ask = (method: string) =>
    new Promise<Record<string, number>>((resolve) => {
      id++;
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(String(data)) as { id?: number; result?: Record<string, number> }; // the inspector's own protocol
        if (message.id === id) resolve(message.result ?? {});
      };
      socket.send(JSON.stringify({ id, method }));
    });
  await ask('HeapProfiler.collectGarbage');
  await ask('HeapProfiler.collectGarbage');
  const usage = await ask('Runtime.getHeapUsage');
  socket.close();
  return (usage['usedSize'] ?? Number.NaN) + (usage['backingStorageSize'] ?? 0);
}

function inspectorOf({ child, said }: Running): Promise<string> {
  const pattern = /ws:\/\/[^\s]+/;
  const known = pattern.exec(said())?.[0];
  if (known) return Promise.resolve(known);
  child.kill('SIGUSR1');
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the inspector did not open')), 5_000);
    child.stderr?.on('data', () => {
      const url = pattern.exec(said())?.[0];
      if (!url) return;
      clearTimeout(timer);
      resolve(url);
    });
  });
}
