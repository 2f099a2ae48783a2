import { randomBytes } from 'node:crypto';
import { type Actor, type Route, route } from '../../platform/contract.ts';
import type { Database, Db } from '../../platform/db/index.ts';
import { api } from '../contract.ts';
import { noPerson } from '../errors.ts';
import { callRows, download } from '../export.ts';
import { addAudit, writeAudit } from '../store.ts';
import { ownPart } from './own-part.ts';
import * as store from './personal-store.ts';
import { places } from './places.ts';

interface Deps {
  readonly database: Database;
  /** Does the config file name the person? It would bring the account back. */
  namedInFile(email: string): boolean;
}

/** What is stored of a person, for the person to have, and to have taken away. */
export function personalRoutes(deps: Deps): Route[] {
  const { db } = deps.database;
  return [
    route(api.personalData, async ({ params: { email }, actor }) => {
      refuseNonPeople(email);
      const who = { actor: actor.id, requestId: actor.requestId, clientIp: actor.clientIp };
      await writeAudit(db, { ...who, action: 'user.export', targetKind: 'user', targetId: email });
      return download('personal-data', 'json', personalData(db, email));
    }),
    route(api.erasePerson, async ({ params: { email }, actor }) => {
      refuseNonPeople(email);
      const erased = await erasePerson(deps.database, email, actor);
      const remains = [
        ...(deps.namedInFile(email) ? ['the config file, under users'] : []),
        ...((await store.hasEndings(db, email)) ? [tokensTakenBack] : []),
      ];
      return { ...erased, remains };
    }),
  ];
}

/** Sealed as they were, so that they open under nobody else's name. */
const tokensTakenBack =
  'account_endings, by itself for a day at most: tokens of accounts are being taken back where they came from';

/** Patterns and programs have no personal data. */
function refuseNonPeople(email: string): void {
  if (!email.includes('@') || /^[*@]|[\s%\\"]/.test(email) || email.startsWith('service:'))
    throw noPerson(email);
}

async function* personalData(db: Db, email: string): AsyncGenerator<string> {
  yield `{"person":${JSON.stringify(email)},"tables":{`;
  for (const table of new Set(places.map((place) => place.table))) {
    const found = places
      .filter((place) => place.table === table)
      .map((place) => store.rowsOf(db, place, email));
    const rows = new Map((await Promise.all(found)).flat().map((row) => [JSON.stringify(row), row]));
    yield `${JSON.stringify(table)}:[${[...rows.keys()].join(',')}],`;
  }
  yield '"audit_log":';
  yield* listed(auditRows(db, email));
  yield ',"api_analytics":';
  yield* listed(callRows(db, { user: email }));
  yield '}}\n';
}

async function* auditRows(db: Db, email: string): AsyncGenerator<object> {
  const atOnce = 500;
  for (let after = '0'; ; ) {
    const rows = await store.auditOf(db, email, after, atOnce);
    yield* rows.map(({ row }) => ownPart(row, email));
    const last = rows.at(-1);
    if (last === undefined || rows.length < atOnce) return;
    after = last.id;
  }
}

async function* listed(rows: AsyncGenerator<object>): AsyncGenerator<string> {
  let before = '[';
  for await (const row of rows) {
    yield `${before}${JSON.stringify(row)}`;
    before = ',';
  }
  yield before === '[' ? '[]' : ']';
}

/** All of it or nothing: the account, what is the person's alone, and the name wherever it stands. */
function erasePerson(database: Database, email: string, actor: Actor) {
  const who = { email, pseudonym: `erased-${randomBytes(8).toString('hex')}` };
  return database.withoutTimeLimit((owner) =>
    owner.transaction().execute(async (trx) => {
      await store.lockPerson(trx, email);
      const tables: Record<string, number> = {};
      const add = (table: string, rows: number) => {
        if (rows > 0) tables[table] = (tables[table] ?? 0) + rows;
      };
      for (const place of places) add(place.table, await store.eraseAt(trx, place, who));
      add('api_analytics', await store.eraseCalls(trx, who));
      if (Object.keys(tables).length === 0 && !(await store.isInAudit(trx, email)))
        return { pseudonym: null, tables };
      const { erasure, erased, left } = await store.eraseAudit(trx, who);
      add('audit_log', erased);
      const entry = {
        ...(actor.id.toLowerCase() === email
          ? { actor: who.pseudonym }
          : { actor: actor.id, requestId: actor.requestId, clientIp: actor.clientIp }),
        ...{ action: 'user.erase', targetKind: 'user', targetId: who.pseudonym, after: { ...tables, left } },
      };
      await addAudit(trx, entry, erasure);
      return { pseudonym: who.pseudonym, tables };
    }),
  );
}
