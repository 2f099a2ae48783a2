// What was sent, beside what was recorded.
import { query } from '../e2e/gate.ts';
import type { Ledger, Requests } from './ledger.ts';

export interface Compared {
  readonly kind: string;
  readonly sent: number;
  readonly answered: number;
  /** Of those that were answered. */
  readonly recorded: number;
  /** Answered, without a record. */
  readonly lost: readonly number[];
  /** Numbers with more than one record. */
  readonly doubled: readonly number[];
  /** Records of what was never sent. */
  readonly madeUp: readonly number[];
  /** Not answered, because the client left first; a record or none may be there. */
  readonly unanswered: number;
  /** Of those. */
  readonly unansweredRecorded: number;
}

/** By kind. */
export async function compare(ledger: Ledger, databaseUrl: string): Promise<Compared[]> {
  const compared: Compared[] = [];
  for (const requests of ledger.requests.values())
    compared.push(compareKind(requests, await recordsOf(databaseUrl, requests.kind)));
  return compared;
}

/** Number of the request -> how many records it has. */
async function recordsOf(databaseUrl: string, kind: string): Promise<Map<number, number>> {
  const rows = await query(
    databaseUrl,
    `select n, count(*)::int as records from (
       select split_part(user_agent, '/', 3)::int as n from mcp_proxy.api_analytics
       where user_agent like 'load/${kind}/%') as marked
     group by n`,
  );
  return new Map(rows.map(({ n, records }) => [Number(n), Number(records)]));
}

function compareKind(requests: Requests, records: ReadonlyMap<number, number>): Compared {
  const lost: number[] = [];
  let recorded = 0;
  for (let at = 0; at < requests.sent; at++) {
    if (!requests.wasAnswered(at)) continue;
    if (records.has(at)) recorded += 1;
    else lost.push(at);
  }
  const numbers = [...records];
  return {
    ...{ kind: requests.kind, sent: requests.sent, recorded, lost },
    answered: requests.count('answered'),
    unanswered: requests.sent - requests.count('answered'),
    unansweredRecorded: numbers.filter(([at]) => at < requests.sent && !requests.wasAnswered(at)).length,
    doubled: numbers.filter(([, count]) => count > 1).map(([at]) => at),
    madeUp: numbers.filter(([at]) => at >= requests.sent).map(([at]) => at),
  };
}

/** Records without a mark, by what is known of them. */
export function unmarked(databaseUrl: string): Promise<Record<string, unknown>[]> {
  return query(
    databaseUrl,
    `select user_agent, face, endpoint, status_code, reason, count(*)::int as records
     from mcp_proxy.api_analytics where user_agent is null or user_agent not like 'load/%'
     group by 1, 2, 3, 4, 5`,
  );
}

/** Ids of every record. */
export async function recordIds(databaseUrl: string): Promise<string[]> {
  const rows = await query(databaseUrl, 'select id from mcp_proxy.api_analytics');
  return rows.map(({ id }) => String(id));
}
