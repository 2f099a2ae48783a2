// A recorder of calls for a test, with a database and a folder of its own.
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { onTestFinished } from 'vitest';
import type { CallRecord } from '../src/audit/contract.ts';
import { createRecorder, type Recorder, type RecorderOptions } from '../src/audit/recorder.ts';
import type { Db } from '../src/platform/db/index.ts';
import { createLog } from '../src/platform/log.ts';
import { renameTable } from './database.ts';

export const noon = Date.UTC(2026, 10, 20, 12);

export function call(over: Partial<CallRecord> = {}): CallRecord {
  return {
    id: randomUUID(),
    at: noon,
    requestId: 'r-1',
    principal: 'alice@acme.com',
    authSource: 'api-token',
    tenant: 'acme',
    face: 'stream',
    httpMethod: 'POST',
    endpoint: '/mcp/{server}',
    rpcMethod: 'tools/call',
    server: 'github',
    tool: 'get_issue',
    outcome: 'ok',
    reason: null,
    status: 200,
    milliseconds: 1.5,
    bytesIn: 10,
    bytesOut: 20,
    userAgent: 'test',
    clientIp: '192.0.2.1',
    credentialId: null,
    arguments: null,
    ...over,
  };
}

export async function folder(): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'toolgate-spill-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** Flushes only when a test says so. */
export async function startRecorder(o: Partial<RecorderOptions> & { db: Db }): Promise<Recorder> {
  const recorder = await createRecorder({
    spillDir: await folder(),
    log: createLog('silent'),
    clock: () => noon,
    flushMs: 3_600_000,
    closeMs: 200,
    ...o,
  });
  onTestFinished(() => recorder.close());
  return recorder;
}

export function recordMany(recorder: Recorder, count: number): string[] {
  return Array.from({ length: count }, () => {
    const record = call();
    recorder.record(record);
    return record.id;
  });
}

export async function storedIds(db: Db): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`select id::text as id from mcp_proxy.api_analytics`.execute(db);
  return rows.map((row) => row.id).sort();
}

/** What a recorder says of itself when everything is stored. */
export const idle = {
  queued: 0,
  spilled: 0,
  degradedSince: null,
  diskRefusedSince: null,
  lost: 0,
  unreadable: 0,
  rejected: 0,
};

export const takeTableAway = (db: Db) => renameTable(db, 'api_analytics', 'away');
export const bringTableBack = (db: Db) => renameTable(db, 'away', 'api_analytics');

export async function filesIn(dir: string, prefix: string): Promise<string[]> {
  return (await readdir(dir)).filter((name) => name.startsWith(prefix));
}
