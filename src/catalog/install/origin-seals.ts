import type { ServerOrigin, StoredOrigin } from '../../access/contract.ts';
import type { Sealer } from '../../platform/sealer.ts';

/** Says that this installation itself chose what a server runs: no row of the database can say so. */
export interface OriginSeals {
  seal(server: string, origin: ServerOrigin): StoredOrigin;
  holds(server: string, origin: StoredOrigin): boolean;
}

/**
 * Whoever may write the database could otherwise name an old version with known holes, which the catalog would make the
 * same command of. Bound to the server, so that no seal counts on another row.
 */
export function createOriginSeals(sealer: Sealer): OriginSeals {
  return {
    seal: (server, origin) => ({ ...origin, seal: sealer.seal(chosen(server, origin)) }),
    holds: (server, origin) => origin.seal !== null && sealer.open(origin.seal) === chosen(server, origin),
  };
}

/** Everything of an origin that decides what runs. */
function chosen(server: string, { entry, transport, auth, fields, ...origin }: ServerOrigin): string {
  return JSON.stringify([
    ...[server, entry, transport, auth, fields],
    ...[origin.package, origin.version, origin.digest],
  ]);
}
