import { sql } from 'kysely';
import type { Db } from '../../platform/db/index.ts';

/** What one process at a time does, with a lease that ends by itself when its process is gone. */
export interface Turn {
  readonly name: string;
  readonly holder: string;
}

/** When it is somebody's turn. */
export interface Due {
  /** After the last one began; sooner when that one failed, was stopped, or was of a process that is gone. */
  readonly everySeconds: number;
  /** Not to wait with what failed: somebody may have mended why. */
  readonly isAnew: boolean;
}

/** Its state, when it is this process's turn. */
export async function takeTurn(
  db: Db,
  { name, holder }: Turn,
  o: Due & { readonly leaseSeconds: number },
): Promise<unknown> {
  const { rows } = await sql<{ state: unknown }>`
    insert into mcp_proxy.jobs as j (name, holder, held_until, began_at)
    values (${name}, ${holder}, now() + make_interval(secs => ${o.leaseSeconds}), now())
    on conflict (name) do update
      set holder = excluded.holder, held_until = excluded.held_until, began_at = excluded.began_at
      where j.held_until < now() or j.held_until is null and (
        (${o.isAnew}::boolean and j.try_again_at is not null)
        or coalesce(j.try_again_at, j.began_at + make_interval(secs => ${o.everySeconds}), now()) <= now())
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

/** Makes the lease longer. */
export async function holdTurn(db: Db, { name, holder }: Turn, leaseSeconds: number): Promise<void> {
  await sql`
    update mcp_proxy.jobs set held_until = now() + make_interval(secs => ${leaseSeconds})
    where name = ${name} and holder = ${holder} and held_until is not null`.execute(db);
}

/** It worked. */
export async function endTurn(db: Db, { name, holder }: Turn): Promise<void> {
  await sql`
    update mcp_proxy.jobs set held_until = null, failures = 0, failing_since = null, try_again_at = null
    where name = ${name} and holder = ${holder} and held_until is not null`.execute(db);
}

/** It was stopped before it was done, through no fault of its own: whoever looks next goes on. */
export async function leaveTurn(db: Db, { name, holder }: Turn): Promise<void> {
  await sql`
    update mcp_proxy.jobs set held_until = null, try_again_at = now()
    where name = ${name} and holder = ${holder} and held_until is not null`.execute(db);
}

/** It failed: it is tried again after a while, which is twice as long each time. */
export async function failTurn(
  db: Db,
  { name, holder }: Turn,
  o: { readonly firstSeconds: number; readonly longestSeconds: number },
): Promise<void> {
  await sql`
    update mcp_proxy.jobs set held_until = null, failures = failures + 1,
      failing_since = coalesce(failing_since, now()), try_again_at = now() + make_interval(
        secs => least(${o.firstSeconds}::double precision * 2 ^ least(failures, 20), ${o.longestSeconds}::double precision))
    where name = ${name} and holder = ${holder} and held_until is not null`.execute(db);
}

/** What was kept last of it; undefined when it has never been done. */
export async function stateOf(db: Db, name: string): Promise<unknown> {
  const { rows } = await sql<{ state: unknown }>`
    select state from mcp_proxy.jobs where name = ${name}`.execute(db);
  return rows[0]?.state;
}

/** How a job stands, whichever process was at it. */
export interface Standing {
  /** One after the other, up to the last one. */
  readonly failures: number;
  readonly since: Date | null;
  /** Until it is tried again. */
  readonly againInMs: number | null;
  /** Somebody is at it, or was at it and is gone. */
  readonly isUnderWay: boolean;
}

export async function standingOf(db: Db, name: string): Promise<Standing | undefined> {
  const { rows } = await sql<Standing>`
    select failures, failing_since as since, held_until is not null as "isUnderWay",
      extract(epoch from try_again_at - now())::double precision * 1000 as "againInMs"
    from mcp_proxy.jobs where name = ${name}`.execute(db);
  return rows[0];
}
