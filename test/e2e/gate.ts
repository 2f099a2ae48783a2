// A running Toolgate for one test file, with a database of its own, gone when the file ends.
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll } from 'vitest';
import { testDatabaseUrl } from '../database.ts';
import { type Program, type ProgramOptions, startProgram } from './program.ts';

export interface GateOptions extends Partial<ProgramOptions> {
  /** The database of the data directory instead of a PostgreSQL. */
  readonly embedded?: boolean;
}

export interface Gate extends Program {
  /** Undefined for an embedded database. */
  readonly databaseUrl: string | undefined;
  /** A second start with the same data, database and config, after the first has ended. */
  again(): Promise<Gate>;
}

/** The config file that Toolgate ships. */
export const shippedConfig = fileURLToPath(new URL('../../mcp-servers.json', import.meta.url));

const open: Gate[] = [];

afterAll(async () => {
  for (const gate of open.splice(0).reverse()) await gate.close();
}, 60_000);

export async function startGate(o: GateOptions = {}): Promise<Gate> {
  const { embedded = false, config = {}, ...rest } = o;
  const given = rest.env?.['DATABASE_URL'];
  const databaseUrl = embedded ? undefined : (given ?? (await testDatabaseUrl()));
  const env = { ...rest.env, ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }) };
  const program = await startProgram({ ...rest, config, env });
  const gate: Gate = {
    ...program,
    databaseUrl,
    again: () =>
      startGate({ ...o, folder: program.folder, env: { ...env, TOOLGATE_ADMIN_TOKEN: program.adminToken } }),
  };
  open.push(gate);
  return gate;
}

/** A config of http servers by URL, all granted to alice, whole. */
export function configOf(mcpServers: Readonly<Record<string, object>>, more: object = {}): object {
  return {
    mcpServers,
    groups: { Everyone: { servers: Object.keys(mcpServers) } },
    users: { 'alice@acme.com': { groups: ['Everyone'] } },
    network: { allow: ['127.0.0.0/8'] },
    ...more,
  };
}

/** Polls until `check` gives something other than undefined or false; throws `what` after `seconds`. */
export async function eventually<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
  seconds = 15,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`Did not happen within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Rows of one statement on a database, as the owner of everything. */
export async function query(databaseUrl: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}
