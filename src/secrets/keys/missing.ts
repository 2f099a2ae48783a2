import { setImmediate } from 'node:timers/promises';
import type { z } from 'zod';
import type { missingKey } from '../contract.ts';
import type { Needs, ServerNeeds } from '../needs.ts';
import type { Coverage } from './store.ts';

type MissingKey = z.infer<typeof missingKey>;

/**
 * What enabled servers ask for where nobody has set a tenant's key or a shared one: a call by somebody without a key of
 * their own would be refused. `tenants` are those to look at; `shared` says whether people without one matter, too. Calls
 * get their turn after each of them: thousands of tenants take seconds.
 */
export async function missingKeys(
  needs: Needs,
  stored: readonly Coverage[],
  { tenants, shared }: { tenants: readonly string[]; shared: boolean },
): Promise<MissingKey[]> {
  const counts = new Counts(stored);
  const found = new Map<string, MissingKey>();
  const look = (tenant: string | null) => {
    for (const server of needs.forTenant(tenant)) {
      for (const [name, usedIn] of wanted(server)) {
        if (counts.isCovered(server.server, name, tenant)) continue;
        const item = found.get(`${server.server} ${name}`) ?? counts.itemOf(server, name, usedIn);
        found.set(`${server.server} ${name}`, item);
        if (tenant === null) item.shared = true;
        else item.tenants.push(tenant);
      }
    }
  };
  if (shared) look(null);
  for (const tenant of tenants) {
    await setImmediate();
    look(tenant);
  }
  return [...found.values()].sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
}

function wanted({ enabled, names, optional }: ServerNeeds): [string, readonly string[]][] {
  return enabled ? [...names].filter(([name]) => !optional.includes(name)) : [];
}

function placeOf({ server, name }: MissingKey): string {
  return `${server} ${name}`;
}

/** What is stored, by where it is looked for. No id of a tenant or server holds a space. */
class Counts {
  readonly #byPlace = new Map<string, number>();

  constructor(stored: readonly Coverage[]) {
    for (const { level, tenant, server, name, count } of stored) {
      const place = level === 'tenant' ? `tenant ${tenant} ${server} ${name}` : `${level} ${server} ${name}`;
      this.#byPlace.set(place, (this.#byPlace.get(place) ?? 0) + count);
    }
  }

  isCovered(server: string, name: string, tenant: string | null): boolean {
    const own = tenant !== null && this.#byPlace.has(`tenant ${tenant} ${server} ${name}`);
    return own || this.#byPlace.has(`shared ${server} ${name}`);
  }

  itemOf({ server, displayName, granted }: ServerNeeds, name: string, usedIn: readonly string[]): MissingKey {
    const users = this.#byPlace.get(`user ${server} ${name}`) ?? 0;
    const groups = this.#byPlace.get(`group ${server} ${name}`) ?? 0;
    const item = { server, displayName, name, usedIn: [...usedIn], granted };
    return { ...item, tenants: [], shared: false, users, groups };
  }
}
