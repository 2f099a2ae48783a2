import type { Database, Db } from '../platform/db/index.ts';

/** The tenant's scope, or the operator's for what belongs to none. */
export function scope(database: Pick<Database, 'db' | 'forTenant'>, tenant: string | null): Db {
  return tenant === null ? database.db : database.forTenant(tenant);
}
