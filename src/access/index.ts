// Who may use what: tenants, users, groups, servers and grants; the snapshot of them that the data plane decides
// from; can(), the one decision; and the admin routes, explain among them.
import type { Clock } from '../platform/clock.ts';
import { type Changes, createLive, type Db, type Live } from '../platform/db/index.ts';
import type { Log } from '../platform/log.ts';
import type { AccessFile } from './contract.ts';
import { loadSnapshot, type Snapshot } from './snapshot.ts';

export { activeTenant } from './active-tenant.ts';
export { applyFile, type Change, planFile } from './apply-file.ts';
export { can } from './can.ts';
export { danglingReferences } from './dangling-references.ts';
export { type Filled, filledFor, fillIn, type Unfilled } from './filled.ts';
export { type Decision, type Installed, installServer } from './install-server.ts';
export { maskArgs, maskUrl } from './mask.ts';
export { compileToolPatterns } from './patterns.ts';
export { mcpoNotes, sameServers } from './mcpo-notes.ts';
export { storedPrincipal, type WithheldQuestion } from './explain.ts';
export { type Rights, rightsOf } from './rights.ts';
export { accessRoutes } from './routes.ts';
export { findServer, listInstalled, type ServerView, type StoredServer } from './servers-store.ts';
export type { Snapshot, SnapshotServer, Tenant } from './snapshot.ts';
export { type ToolTexts, textsFrom } from './tool-texts.ts';

export interface Access {
  /** The picture to decide from; a different object after each change. */
  snapshot(): Snapshot;
  /** To refresh, to hear of changes, to ask how old the picture is, and to close. */
  readonly live: Live<Snapshot>;
}

/** Loads the first snapshot and keeps it up to date; rejects when the database cannot be read at start. */
export async function createAccess(o: {
  db: Db;
  changes: Changes;
  log: Log;
  clock: Clock;
  /** The contents of the config file in force: only what one of them says is trusted as the operator's own. */
  written?: () => readonly AccessFile[];
}): Promise<Access> {
  const load = async () => {
    const snapshot = await loadSnapshot(o.db, o.written?.());
    for (const { server, message } of snapshot.problems) o.log.error({ server }, message);
    return snapshot;
  };
  const live = await createLive({ topic: 'access', changes: o.changes, load, log: o.log, clock: o.clock });
  return { snapshot: () => live.current(), live };
}
