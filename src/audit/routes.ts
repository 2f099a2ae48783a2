import { type Actor, type Route, route } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import { summarize } from './analytics/summary-store.ts';
import { chainHead } from './chain/chain-store.ts';
import type { AnchorSigner } from './chain/anchor-line.ts';
import { verifyChain } from './chain/verify.ts';
import { api } from './contract.ts';
import { exportAudit, exportCalls } from './export.ts';
import { listAudit, listCalls, writeAudit } from './store.ts';

interface Deps {
  readonly db: Db;
  readonly signer: AnchorSigner;
}

/** Records, their chain and their counts. All of it spans all tenants, so the app must let operators only reach it. */
export function auditRoutes({ db, signer }: Deps): Route[] {
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
      const found = await verifyChain(db, body.anchors);
      if (found.problem) await noteBroken(db, actor, found.problem);
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

/** A chain that is broken is told of in the chain: whoever repairs it later cannot take that back. */
export async function noteBroken(db: Db, actor: Actor, after: object): Promise<void> {
  await writeAudit(db, {
    ...by(actor),
    ...{ action: 'audit.verification_failed', targetKind: 'table', targetId: 'audit_log', after },
  });
}

function by({ id, requestId, clientIp }: Actor) {
  return { actor: id, requestId, clientIp };
}
