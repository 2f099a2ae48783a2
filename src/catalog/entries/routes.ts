import { listInstalled, type ServerView } from '../../access/index.ts';
import { type Route, route } from '../../platform/contract.ts';
import type { Db } from '../../platform/db/index.ts';
import { api, type CatalogQuery } from '../contract.ts';
import { cursorInvalid, entryNotFound } from '../errors.ts';
import { detailsView, itemView } from './entry-view.ts';
import type { KnownEntries } from './known-entries.ts';

type Item = ReturnType<typeof itemView>;

/** What can be installed, and what is known of it. */
export function entryRoutes({ db, entries }: { db: Db; entries: KnownEntries }): Route[] {
  return [
    // Before the one with an id in its place.
    route(api.countCatalog, async () => countsOf(entries.all().map((entry) => itemView(entry, [])))),
    route(api.listCatalog, async ({ query }) => {
      const installed = await listInstalled(db);
      return pageOf(chosen(entries, query, installed), query);
    }),
    route(api.getCatalogEntry, async ({ params: { id } }) => {
      const entry = entries.find(id);
      if (!entry) throw entryNotFound(id);
      return detailsView(entry, await listInstalled(db));
    }),
  ];
}

function chosen(entries: KnownEntries, query: CatalogQuery, installed: readonly ServerView[]): Item[] {
  const all = query.search === undefined ? byName(entries) : entries.search(query.search);
  return all.map((entry) => itemView(entry, installed)).filter((item) => fits(item, query));
}

function byName(entries: KnownEntries) {
  return [...entries.all()].sort((a, b) => a.name.localeCompare(b.name, 'en') || (a.id < b.id ? -1 : 1));
}

function fits(item: Item, query: CatalogQuery): boolean {
  const isOr = (wanted: string | undefined, has: readonly string[]) =>
    wanted === undefined || has.includes(wanted);
  return (
    isOr(query.category, [item.category]) &&
    isOr(query.auth, item.auth) &&
    isOr(query.transport, item.transports) &&
    isOr(query.runtime, item.runtimes) &&
    isOr(query.tier, [item.tier]) &&
    isOr(query.maintainer, [item.maintainer]) &&
    (query.installed === undefined || query.installed === item.installedAs.length > 0)
  );
}

/** A cursor is how many came before: what fits, and its order, is the same for the same question. */
function pageOf(items: readonly Item[], { limit, cursor }: CatalogQuery) {
  const begin = cursor === undefined ? 0 : Number(/^[0-9]{1,6}$/.exec(cursor)?.[0]);
  if (!Number.isInteger(begin)) throw cursorInvalid();
  const end = begin + limit;
  return { items: items.slice(begin, end), nextCursor: end < items.length ? String(end) : null };
}

function countsOf(items: readonly Item[]) {
  const count = (valuesOf: (item: Item) => readonly string[]) => {
    const found = Map.groupBy(items.flatMap(valuesOf), (value) => value);
    return [...found].map(([value, all]) => ({ value, count: all.length })).sort((a, b) => b.count - a.count);
  };
  return {
    categories: count(({ category }) => [category]),
    auth: count(({ auth }) => auth),
    transports: count(({ transports }) => transports),
    runtimes: count(({ runtimes }) => runtimes),
    tiers: count(({ tier }) => [tier]),
    maintainers: count(({ maintainer }) => [maintainer]),
    total: items.length,
  };
}
