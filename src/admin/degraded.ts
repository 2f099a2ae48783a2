import type { Recorder } from '../audit/index.ts';
import type { Gateway } from '../gateway/index.ts';
import type { Bus } from '../platform/bus/contract.ts';
import type { Changes, Database } from '../platform/db/index.ts';
import type { Degraded } from './status.ts';

const pingMs = 1_000;

/** What does not work as it should at this moment. Resolves within about a second, whatever hangs. */
export async function degradedParts(o: {
  database: Database;
  changes: Changes;
  recorder: Recorder;
  gateway: Gateway;
  bus: Bus;
}): Promise<Degraded[]> {
  const found: Degraded[] = [];
  const { degradedSince, queued, spilled } = o.recorder.state();
  const isUp = await o.database.ping(pingMs).then(
    () => true,
    () => false,
  );
  if (!isUp) {
    const since = degradedSince ?? o.changes.failingSince();
    found.push({
      part: 'database',
      since,
      meaning: 'Calls go on with the rights and keys last seen; changes by admins have to wait.',
    });
  }
  if (degradedSince) {
    const meaning = `${queued + spilled} records wait in memory and on disk until the database is back.`;
    found.push({ part: 'records', since: degradedSince, meaning });
  }
  const awaySince = o.bus.awaySince();
  if (awaySince) {
    const meaning =
      'Replicas do not hear of each other: answers, cancellations and streams work only on the one that has the call.';
    found.push({ part: 'messages between replicas', since: awaySince, meaning });
  }
  for (const { server, since, message } of o.gateway.unreachable())
    found.push({ part: `server ${server}`, since, meaning: message });
  return found;
}
