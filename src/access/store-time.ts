import { type RawBuilder, sql } from 'kysely';

/** A timestamptz column as the wire writes it: `2026-11-20T18:00:00.000Z`; null stays null. */
export function iso(column: string): RawBuilder<string> {
  return sql<string>`to_char(${sql.ref(column)} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}
