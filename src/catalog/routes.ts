import { createHash } from 'node:crypto';
import { writeAudit } from '../audit/index.ts';
import { type Actor, type Route, route } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import { api, definitionFields, type pinView } from './contract.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { entryRoutes } from './entries/routes.ts';
import { pinNotFound, pinsChanged, serverNotFound } from './errors.ts';
import { install } from './install/install.ts';
import type { InstallDeps } from './install/install-plan.ts';
import { createTries, type TryDeps } from './install/try-entry.ts';
import * as store from './store.ts';
import type { ToolPins } from './tool-pins.ts';
import type { z } from 'zod';

export interface CatalogRoutesOptions extends InstallDeps, TryDeps {
  readonly pins: Pick<ToolPins, 'nameFlags' | 'refresh'>;
}

/** What can be installed, trying and installing it, and which definitions of tools are accepted. */
export function catalogRoutes(o: CatalogRoutesOptions): Route[] {
  const tryEntry = createTries(o);
  return [
    ...entryRoutes(o),
    route(api.tryCatalogEntry, ({ params: { id }, body }) => tryEntry(id, body)),
    route(api.installCatalogEntry, ({ params: { id }, body, actor }) => install(o, id, body, actor)),
    ...pinRoutes(o),
  ];
}

/** Definitions of tools: which are accepted, which wait, and the decision about them. */
export function pinRoutes({ db, pins }: Pick<CatalogRoutesOptions, 'db' | 'pins'>): Route[] {
  return [
    route(api.listPins, async ({ query }) => {
      const rows = await store.listPins(db, query, decodeCursor(query.cursor));
      const shown = rows.slice(0, query.limit);
      const last = rows.length > query.limit ? shown.at(-1) : undefined;
      return {
        items: shown.map((row) => viewOf(row, pins.nameFlags(row.tool))),
        nextCursor: last ? encodeCursor({ at: last.firstSeenAt, id: last.id }) : null,
        version: query.server === undefined ? null : versionOf(await store.pendingIds(db, query.server)),
      };
    }),
    route(api.acceptPin, async ({ params: { id }, actor }) => {
      const accepted = await db.transaction().execute(async (trx) => {
        if (!(await store.findPin(trx, id))) throw pinNotFound(id);
        return accept(trx, [id], actor);
      });
      await pins.refresh();
      return { accepted };
    }),
    route(api.acceptAllPins, async ({ params: { id }, body, actor }) => {
      const accepted = await db.transaction().execute(async (trx) => {
        if (!(await store.serverExists(trx, id))) throw serverNotFound(id);
        const waiting = await store.pendingIds(trx, id);
        if (versionOf(waiting) !== body.version) throw pinsChanged(id);
        return accept(trx, waiting, actor);
      });
      await pins.refresh();
      return { accepted };
    }),
  ];
}

/** Exactly these, so that nothing is accepted that came in meanwhile. Accepting twice is no mistake. */
async function accept(trx: Db, ids: readonly string[], actor: Actor): Promise<number> {
  const accepted = await store.acceptPins(trx, ids, actor.id);
  for (const { id, server, tool, hash } of accepted)
    await writeAudit(trx, {
      actor: actor.id,
      action: 'pin.accept',
      targetKind: 'server',
      targetId: server,
      after: { pin: id, tool, hash },
      requestId: actor.requestId,
      clientIp: actor.clientIp,
    });
  return accepted.length;
}

/** The same as long as the same definitions wait. */
function versionOf(ids: readonly string[]): string {
  return createHash('sha256').update(ids.join(' ')).digest('base64url').slice(0, 22);
}

function viewOf(
  { before, hash: _, ...row }: store.StoredPin,
  nameFlags: readonly string[],
): z.input<typeof pinView> {
  const changes = before
    ? definitionFields
        .map((field) => ({ field, before: before[field], after: row.definition[field] }))
        .filter((change) => change.before !== change.after)
    : [];
  return { ...row, isNew: before === null, changes, flags: [...row.flags, ...nameFlags] };
}
