// Which authorization server the secret of a definition's client belongs to. The operator's scope.
import { sql } from 'kysely';
import type { Db } from '../../../platform/db/index.ts';

export interface SecretPlace {
  readonly server: string;
  /** Of the credential: another one whenever the secret is entered anew. */
  readonly version: string;
}

/** The one that it was used at; null: at none yet. */
export async function issuerOfSecret(db: Db, { server, version }: SecretPlace): Promise<string | null> {
  const { rows } = await sql<{ issuer: string }>`
    select issuer from mcp_proxy.oauth_secret_issuers
    where server_id = ${server} and version = ${version}`.execute(db);
  return rows[0]?.issuer ?? null;
}

/** Makes it the secret of `issuer` where it is nobody's; returns whose it is. */
export async function claimSecret(
  db: Db,
  { server, version, issuer }: SecretPlace & { readonly issuer: string },
): Promise<string> {
  const known = await issuerOfSecret(db, { server, version });
  if (known !== null) return known;
  // An update that changes nothing: else whoever comes second would be told of no row.
  const { rows } = await sql<{ issuer: string }>`
    insert into mcp_proxy.oauth_secret_issuers as known (server_id, version, issuer)
    values (${server}, ${version}, ${issuer})
    on conflict (server_id, version) do update set issuer = known.issuer
    returning issuer`.execute(db);
  const [row] = rows;
  if (!row) throw new Error('whose secret it is was not stored');
  return row.issuer;
}

/** The client and the issuer that the definition of a server names at this moment. */
export async function namedClient(
  db: Db,
  server: string,
): Promise<{ readonly clientId: string | null; readonly issuer: string | null } | null> {
  const { rows } = await sql<{ clientId: string | null; issuer: string | null }>`
    select definition #>> '{account,clientId}' as "clientId", definition #>> '{account,issuer}' as issuer
    from mcp_proxy.servers where id = ${server}`.execute(db);
  return rows[0] ?? null;
}
