import { type Route, route } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import { api } from './contract.ts';
import { listAudit, listCalls } from './store.ts';

/** `GET /audit` and `GET /analytics`. Both span all tenants, so the app must let operators only reach them. */
export function auditRoutes(o: { db: Db }): Route[] {
  return [
    route(api.listAudit, ({ query }) => listAudit(o.db, query)),
    route(api.listAnalytics, ({ query }) => listCalls(o.db, query)),
  ];
}
