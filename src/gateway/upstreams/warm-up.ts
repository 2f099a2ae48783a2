import { filledFor, type SnapshotServer } from '../../access/index.ts';
import type { Gate } from '../call.ts';
import { makeTarget, neededCredentials } from './target.ts';

/** Servers that are asked at one time. */
const atOnce = 8;
/** How long one of them keeps its place: whoever is slower goes on without it, in milliseconds. */
const placeMs = 500;

/**
 * Asks the servers that everybody shares for their lists before anyone else does, so that the first caller need not
 * wait for them: a few at a time, so that a start is no rush of processes, and none longer than a moment, so that dead
 * ones do not keep the others waiting. Servers with credentials or an isolation of their own wait for their first
 * caller. Resolves when all have been asked, which nothing waits for, and never rejects.
 */
export async function warmUp(gate: Gate): Promise<void> {
  const waiting = [...gate.snapshot().servers.values()].filter(({ definition }) => definition.enabled);
  const next = async (): Promise<void> => {
    for (let server = waiting.shift(); server; server = waiting.shift()) {
      const { id } = server;
      await ask(gate, server).catch((error: unknown) =>
        gate.log.warn({ server: id, err: error }, 'server could not be asked for its lists'),
      );
    }
  };
  await Promise.all(Array.from({ length: atOnce }, next));
}

async function ask(gate: Gate, server: SnapshotServer): Promise<void> {
  const filled = filledFor(gate.snapshot(), server, null);
  const isShared = (server.definition.isolation ?? 'shared') === 'shared';
  if (!filled.ok || !isShared || neededCredentials(server, filled).length > 0) return;
  const asking = { principal: '', tenant: null, session: null };
  const target = makeTarget(server, asking, filled, new Map());
  const known = gate.lists.peek(target, 'legacy', '{}');
  await gate.lists.settle([known], placeMs);
}
