// Workers of an earlier start left what they could not store; there are fewer of them, down to one.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'vitest';
import { callRecord } from '../call-record.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { eventually, query, startGate } from './gate.ts';

test('one that serves alone stores the records of all of them', async () => {
  const folder = temporaryFolder();
  const spills = [2, 3].map((worker) => path.join(folder, 'data', `worker-${worker}`, 'spill'));
  for (const [at, spill] of spills.entries()) {
    mkdirSync(spill, { recursive: true, mode: 0o700 });
    const record = callRecord({ at: Date.now(), requestId: `left-${at}` });
    const name = `calls-${Date.now()}-000000-0000000${at}.jsonl`;
    writeFileSync(path.join(spill, name), `${JSON.stringify(record)}\n`);
  }
  const gate = await startGate({ folder, env: { WORKERS: '1' } });
  await eventually('they are stored', async () => {
    const rows = await query(
      gate.databaseUrl!,
      "select request_id from mcp_proxy.api_analytics where request_id like 'left-%' order by 1",
    );
    return rows.map((row) => row['request_id']).join() === 'left-0,left-1';
  });
  await gate.close();
}, 60_000);
