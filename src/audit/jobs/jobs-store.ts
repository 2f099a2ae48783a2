import { sql } from 'kysely';
import type { Db } from '../../platform/db/index.ts';

/** What one process at a time does, with a lease that ends by itself when its process is gone. */
export interface Turn {
  readonly name: string;
  readonly holder: string;
}

/** Its state, when it is this process's turn and `everySeconds` have passed since the last one began. */
export async function takeTurn(
  db: Db,
  { name, holder }: Turn,
  o: { readonly everySeconds: number; readonly leaseSeconds: number },
): Promise<unknown> {
  const { rows } = await sql<{ state: unknown }>`
    insert into mcp_proxy.jobs as j (name, holder, held_until, began_at)
    values (${name}, ${holder}, now() + make_interval(secs => ${o.leaseSeconds}), now())
    on conflict (name) do update
      set holder = excluded.holder, held_until = excluded.held_until, began_at = excluded.began_at
      where (j.held_until is null or j.held_until < now())
        and (j.began_at is null or j.began_at <= now() - make_interval(secs => ${o.everySeconds}))
    returning state`.execute(db);
  return rows[0]?.state;
}

/** Makes the lease longer and keeps how far it has come; false when the turn is another's by now. */
export async function keepTurn(
  db: Db,
  { name, holder }: Turn,
  state: object,
  leaseSeconds: number,
): Promise<boolean> {
  const { rows } = await sql`
    update mcp_proxy.jobs set state = ${JSON.stringify(state)}::jsonb,
      held_until = now() + make_interval(secs => ${leaseSeconds})
    where name = ${name} and holder = ${holder} and held_until is not null returning 1`.execute(db);
  return rows.length > 0;
}

export async function endTurn(db: Db, { name, holder }: Turn): Promise<void> {
  await sql`
    update mcp_proxy.jobs set held_until = null where name = ${name} and holder = ${holder}`.execute(db);
}
