import { sql } from 'kysely';
import { beforeAll, beforeEach } from 'vitest';
import { accessRoutes, type Snapshot } from '../src/access/index.ts';
import { loadSnapshot } from '../src/access/snapshot.ts';
import type { Route } from '../src/platform/contract.ts';
import type { Db } from '../src/platform/db/index.ts';
import { AppError } from '../src/platform/errors.ts';
import { emptied } from './walls/world.ts';
import { asOwner, testDatabase } from './database.ts';

/** The parts of the answers that tests look into one by one. */
interface Answer {
  items: { email: string; id: string }[];
  nextCursor: string | null;
  groups: unknown[];
  reasons: string[];
}

interface Entry {
  action: string;
  target_id: string;
  before: unknown;
  after: unknown;
}

/** The access routes on a database that is empty before each test. */
export function accessWorld() {
  let db: Db;
  let snapshot: Snapshot;
  let routes: Route[];
  const checked: string[] = [];

  beforeAll(async () => {
    const database = await testDatabase();
    db = database.db;
    routes = accessRoutes({
      db,
      forTenant: database.forTenant,
      snapshot: () => snapshot,
      changed: async () => {
        snapshot = await loadSnapshot(db);
      },
      checkUrl: async (url) => {
        checked.push(url);
        if (url.includes('169.254')) throw new AppError('url_forbidden', 400, 'Not there.');
      },
      withheld: () => undefined,
      clock: () => Date.now(),
    });
  });

  beforeEach(async () => {
    const tables = ['users', 'groups', 'servers', 'tenants', 'audit_log', 'audit_chain'];
    await asOwner(db, (owner) => emptied(owner, tables));
    snapshot = await loadSnapshot(db);
    checked.length = 0;
  });

  return {
    db: () => db,
    snapshot: () => snapshot,
    reload: async () => {
      snapshot = await loadSnapshot(db);
    },
    checked,
    call: (request: string, body?: unknown) => call(routes, request, body),
    refusal: (request: string, body?: unknown) => refusal(routes, request, body),
    audited: async () => {
      const { rows } =
        await sql<Entry>`select action, target_id, before, after from mcp_proxy.audit_log order by id`.execute(
          db,
        );
      return rows;
    },
  };
}

/** Parses as the app does, calls the handler, and parses the answer by its schema. */
async function call(routes: readonly Route[], request: string, body?: unknown): Promise<Answer> {
  const [method = '', target = ''] = request.split(' ');
  const [path = '', query = ''] = target.split('?');
  for (const { endpoint, handle } of routes) {
    const pattern = new RegExp(`^${endpoint.path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);
    const found = endpoint.method === method ? pattern.exec(path) : null;
    if (!found) continue;
    const decoded = Object.entries(found.groups ?? {}).map(([name, value]) => [
      name,
      decodeURIComponent(value),
    ]);
    const answer = await handle({
      params: endpoint.params.parse(Object.fromEntries(decoded)),
      query: endpoint.query.parse(Object.fromEntries(new URLSearchParams(query))),
      body: endpoint.body.parse(body),
      actor: { id: 'root@acme.com', requestId: 'r-1', clientIp: '127.0.0.1' },
    });
    // Every field is looked at by a test that asked for a record or a list which has it.
    return endpoint.output.parse(answer) as Answer;
  }
  throw new Error(`no route for ${request}`);
}

async function refusal(routes: readonly Route[], request: string, body?: unknown): Promise<string> {
  const error = await call(routes, request, body).catch((thrown: unknown) => thrown);
  if (error instanceof AppError) return `${error.status} ${error.code}`;
  throw error instanceof Error ? error : new Error('it was not refused');
}
