import type { Recorder } from '../audit/index.ts';
import type { Gateway, StdioSettings } from '../gateway/index.ts';
import type { Bus } from '../platform/bus/contract.ts';
import type { Changes, Database } from '../platform/db/index.ts';
import type { Degraded } from './status.ts';

const pingMs = 1_000;

interface Follows {
  staleSince(): Date | null;
}

/** What does not work as it should at this moment. Resolves within about a second, whatever hangs. */
export async function degradedParts(o: {
  database: Database;
  changes: Changes;
  recorder: Recorder;
  gateway: Gateway;
  bus: Bus;
  stdio: StdioSettings;
  masterKeys: { problem(): { readonly since: Date; readonly meaning: string } | null };
  /** What is kept in memory of the database, and since when changes of it cannot be loaded. */
  access: { readonly live: Follows };
  vault: Follows;
  accounts: Follows;
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
  // While the database is away nothing can be loaded, which is said already.
  if (isUp)
    found.push(...unloaded({ 'rights and servers': o.access.live, keys: o.vault, accounts: o.accounts }));
  if (o.database.walls.missing()) {
    const meaning =
      'Tenants are kept apart by the program alone, not a second time by the database; the log says why.';
    found.push({ part: 'walls between tenants', since: null, meaning });
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
  const keyProblem = o.masterKeys.problem();
  if (keyProblem) found.push({ part: 'master keys', ...keyProblem });
  const runner = o.stdio.runner?.away?.();
  if (runner) {
    const meaning = `Servers that are processes cannot be used until the runner is back. ${runner.why}`;
    found.push({ part: 'runner', since: runner.since, meaning });
  }
  for (const { server, since, message } of o.gateway.unreachable())
    found.push({ part: `server ${server}`, since, meaning: message });
  return found;
}

function unloaded(followed: Readonly<Record<string, Follows>>): Degraded[] {
  return Object.entries(followed).flatMap(([what, one]) => {
    const since = one.staleSince();
    const meaning = `Changes of ${what} cannot be loaded; calls go on with what was loaded last. The log says why.`;
    return since === null ? [] : [{ part: what, since, meaning }];
  });
}
