import { type Actor, type Route, route } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import { summarize } from './analytics/summary-store.ts';
import { chainHead } from './chain/chain-store.ts';
import { noteBroken } from './chain/note-broken.ts';
import { verifyAnchors, verifyChain } from './chain/verify.ts';
import { api } from './contract.ts';
import { exportAudit, exportCalls } from './export.ts';
import type { Records } from './records.ts';
import { listAudit, listCalls, writeAudit } from './store.ts';

interface Deps {
  readonly db: Db;
  readonly records: Pick<Records, 'signer' | 'brokenSince' | 'recheck'>;
}

/** Records, their chain and their counts. All of it spans all tenants, so the app must let operators only reach it. */
export function auditRoutes({ db, records }: Deps): Route[] {
  const { signer } = records;
  return [
    route(api.listAudit, ({ query }) => listAudit(db, query)),
    route(api.listAnalytics, ({ query }) => listCalls(db, query)),
    route(api.exportAudit, async ({ query: { format, ...query }, actor }) => {
      await noteExport(db, actor, 'audit_log', { format, ...query });
      return exportAudit(db, format, query);
    }),
    route(api.exportAnalytics, async ({ query: { format, ...query }, actor }) => {
      await noteExport(db, actor, 'api_analytics', { format, ...query });
      return exportCalls(db, format, query);
    }),
    route(api.summary, async ({ query }) => ({ items: await summarize(db, query) })),
    route(api.auditHead, async () => ({ head: (await chainHead(db)) ?? null, key: signer.publicKey })),
    route(api.verifyAudit, async ({ body, actor }) => {
      const anchored = { anchors: body.anchors, keys: [signer.publicKey, ...body.keys] };
      const found = await (body.anchorsOnly ? verifyAnchors(db, anchored) : verifyChain(db, anchored));
      if (found.problem) await noteBroken(db, actor, found.problem);
      // What everybody is told follows at once, and not in a day.
      const isKnown = (await records.brokenSince()) !== null;
      if (!body.anchorsOnly && isKnown === found.ok) await records.recheck();
      return found;
    }),
  ];
}

async function noteExport(db: Db, actor: Actor, table: string, after: object): Promise<void> {
  await writeAudit(db, {
    ...by(actor),
    action: 'records.export',
    targetKind: 'table',
    targetId: table,
    after,
  });
}

function by({ id, requestId, clientIp }: Actor) {
  return { actor: id, requestId, clientIp };
}
