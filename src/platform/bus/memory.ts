import { everyone, type OpenTransport } from './contract.ts';

/** A transport inside one process: for an installation of one, and for tests of several nodes in one. */
export function memoryTransport(): OpenTransport {
  const nodes = new Map<string, (text: string) => void>();
  return (node, receive) => {
    nodes.set(node, receive);
    return Promise.resolve({
      publish(to, text) {
        const receivers = to === everyone ? [...nodes.values()] : [nodes.get(to)];
        for (const one of receivers) if (one) queueMicrotask(() => one(text));
      },
      awaySince: () => null,
      close: () => {
        nodes.delete(node);
        return Promise.resolve();
      },
    });
  };
}
