import type { CallRecord } from '../src/audit/contract.ts';
import { toRow } from '../src/audit/call-row.ts';
import { insertCalls } from '../src/audit/store.ts';
import { timeId } from '../src/audit/time-id.ts';
import type { Db } from '../src/platform/db/index.ts';

/** A call as the data plane hands it over. */
export function callRecord(over: Partial<CallRecord> = {}): CallRecord {
  const at = over.at ?? Date.UTC(2026, 10, 20, 12);
  return {
    ...{ id: timeId(at), at, requestId: 'r-1', principal: 'alice@acme.com', authSource: 'api-token' },
    ...{
      tenant: 'acme',
      face: 'stream',
      httpMethod: 'POST',
      endpoint: '/mcp/{server}',
      rpcMethod: 'tools/call',
    },
    ...{ server: 'github', tool: 'get_issue', outcome: 'ok', reason: null, status: 200, milliseconds: 20 },
    ...{
      bytesIn: 10,
      bytesOut: 20,
      userAgent: 'test',
      clientIp: '192.0.2.1',
      credentialId: null,
      arguments: null,
    },
    ...over,
  };
}

export function storeCalls(db: Db, ...records: Partial<CallRecord>[]): Promise<void> {
  return insertCalls(
    db,
    records.map((one) => toRow(callRecord(one))),
  );
}
