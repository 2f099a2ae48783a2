// What heads of the chain that were kept elsewhere show, of a database and of an export.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type RawBuilder, sql } from 'kysely';
import { describe, expect, onTestFinished, test } from 'vitest';
import { change, recordedWorld, tamper } from '../../../test/audit-world.ts';
import type { Db } from '../../platform/db/index.ts';
import { type AnchorPoint, anchorsText } from '../contract.ts';
import { exportAudit } from '../export.ts';
import { writeAudit } from '../store.ts';
import { anchorSigner } from './anchor-line.ts';
import { chainHead } from './chain-store.ts';
import { verifyExport } from './exported-chain.ts';
import { verifyAnchors, verifyChain } from './verify.ts';

const signer = anchorSigner(Buffer.alloc(32, 1));
const other = anchorSigner(Buffer.alloc(32, 2));
const log = sql`mcp_proxy.audit_log`;
const chain = sql`mcp_proxy.audit_chain`;

async function anchorOf(db: Db, by = signer): Promise<AnchorPoint> {
  return anchorsText.parse(by.line((await chainHead(db))!, new Date(0))).anchors[0]!;
}

const by = (...anchors: AnchorPoint[]) => ({ anchors, keys: [signer.publicKey] });

/** A file with the export of a database, and what somebody made of its lines. */
async function exported(db: Db, made: (lines: string[]) => string[] = (lines) => lines): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'toolgate-export-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const lines = (await exportAudit(db, 'jsonl', {}).text()).trimEnd().split('\n');
  const file = path.join(folder, 'changes.jsonl');
  writeFileSync(file, `${made(lines).join('\n')}\n`);
  return file;
}

describe.each([
  ['a database', verifyChain],
  ['an export', async (db: Db, anchored = by()) => verifyExport(await exported(db), anchored)],
])('of %s', (_, verify) => {
  test('an anchor that agrees is counted', async () => {
    const { db } = await recordedWorld(3);
    expect(await verify(db, by(await anchorOf(db)))).toMatchObject({ ok: true, anchors: 1, records: 3 });
  });

  test('an end that was cut off is found', async () => {
    const { db } = await recordedWorld(5);
    const anchor = await anchorOf(db);
    await tamper(db, sql`delete from ${log} where id > 3`, sql`delete from ${chain} where seq > 3`);
    expect((await verify(db, by())).ok).toBe(true);
    expect((await verify(db, by(anchor))).problem).toMatchObject({ kind: 'anchor', seq: 5 });
  });

  test('a chain that was made anew is found', async () => {
    const { db } = await recordedWorld(3);
    const anchor = await anchorOf(db);
    await tamper(db, sql`truncate ${log}, ${chain} restart identity`);
    for (const at of [1, 2, 3]) await writeAudit(db, change({ targetId: `other-${at}` }));
    expect((await verify(db, by())).ok).toBe(true);
    expect((await verify(db, by(anchor))).problem).toMatchObject({ kind: 'anchor', seq: 3 });
  });

  test.each([
    ['without a signature', { signature: '' }, /no signature/],
    ['whose signature is of another line', { time: '2026-11-20T00:00:00.000Z' }, /wrong signature/],
    ['of another kind', { kind: 'another' }, /wrong signature/],
    ['that names no key', { key: '' }, /wrong signature/],
    ['whose signature is no base64', { signature: '%' }, /wrong signature/],
  ])('an anchor %s is named', async (_name, over, message) => {
    const { db } = await recordedWorld(2);
    const bad = { ...(await anchorOf(db)), ...over };
    const { ok, problem } = await verify(db, by(await anchorOf(db), bad));
    expect({ ok, problem }).toMatchObject({
      ok: false,
      problem: { kind: 'anchor_signature', seq: 2, message },
    });
  });

  test('an anchor of another installation says that its key is needed, and is right with it', async () => {
    const { db } = await recordedWorld(2);
    const anchor = await anchorOf(db, other);
    expect((await verify(db, by(anchor))).problem).toMatchObject({ kind: 'anchor_key', seq: 2 });
    const keys = [signer.publicKey, other.publicKey];
    expect(await verify(db, { anchors: [anchor], keys })).toMatchObject({ ok: true });
  });

  test('whoever makes the chain anew cannot sign its anchors with a key of their own', async () => {
    const { db } = await recordedWorld(2);
    const forged = { ...(await anchorOf(db, other)), key: (await anchorOf(db)).key };
    expect((await verify(db, by(forged))).problem).toMatchObject({ kind: 'anchor_signature' });
  });

  test('what the chain itself shows is told of before any anchor', async () => {
    const { db } = await recordedWorld(3);
    const unsigned = { ...(await anchorOf(db)), signature: '' };
    await tamper(db, sql`update ${log} set actor = 'mallory' where id = 2`);
    expect((await verify(db, by(unsigned))).problem).toMatchObject({ kind: 'changed', record: '2' });
  });
});

test('further anchors are compared without reading the chain again', async () => {
  const { db } = await recordedWorld(2);
  const anchor = await anchorOf(db);
  expect(await verifyAnchors(db, by(anchor))).toMatchObject({ ok: true, records: 0, anchors: 1 });
  await tamper(db, sql`delete from ${chain} where seq = 2`);
  expect((await verifyAnchors(db, by(anchor))).problem).toMatchObject({ kind: 'anchor', seq: 2 });
});

test('what is no key is refused', async () => {
  const { db } = await recordedWorld(1);
  const anchored = { anchors: [await anchorOf(db)], keys: ['c2hvcnQ='] };
  await expect(verifyChain(db, anchored)).rejects.toMatchObject({ code: 'anchor_key_invalid' });
});

test('lines that are no anchors are told by their numbers', () => {
  const good = signer.line({ seq: 1, hash: 'a'.repeat(64) }, new Date(0));
  const { anchors, unreadable } = anchorsText.parse(`${good}\n\n{"kind":"too\n[]\n${good}\n`);
  expect([anchors.length, unreadable]).toEqual([2, [3, 4]]);
});

describe('in an export is found', () => {
  const edited = (at: number, edit: (line: { [name: string]: unknown }) => void) => (lines: string[]) => {
    const line = JSON.parse(lines[at] ?? '');
    edit(line);
    return lines.with(at, JSON.stringify(line));
  };
  test.each<[string, (lines: string[]) => string[], object]>([
    ['a changed actor', edited(1, (line) => (line['actor'] = 'x')), { kind: 'changed', record: '2' }],
    ['another action', edited(1, (line) => (line['action'] = 'x')), { kind: 'changed', record: '2' }],
    [
      'a value that people read, beside the text that was hashed',
      edited(1, (line) => (line['after'] = { name: 'harmless' })),
      { kind: 'changed', record: '2', message: /after/ },
    ],
    ['a line that was taken out', (lines) => lines.toSpliced(1, 1), { kind: 'missing', seq: 3 }],
    ['a line that stands twice', (lines) => lines.toSpliced(1, 0, lines[0]!), { kind: 'reordered' }],
    ['a beginning that was cut off', (lines) => lines.slice(1), { kind: 'missing', seq: 2 }],
  ])('%s', async (_, made, problem) => {
    const { db } = await recordedWorld(4);
    expect((await verifyExport(await exported(db, made), by())).problem).toMatchObject(problem);
  });

  test('a record that pretends to be erased', async () => {
    const { db } = await recordedWorld(3);
    const pretend: RawBuilder<unknown>[] = [
      sql`update ${log} set actor = 'erased-0123456789abcdef' where id = 2`,
      sql`update ${chain} set salts = array_prepend(null, salts[2:6]), erased_by = 3 where seq = 2`,
    ];
    await tamper(db, ...pretend);
    expect((await verifyExport(await exported(db), by())).problem).toMatchObject({
      record: '2',
      message: /actor/,
    });
  });
});

test.each(['not json', '{}', '[]', '{"id":"1","chain":null}'])('%s is no line of an export', async (line) => {
  const { db } = await recordedWorld(1);
  const file = await exported(db, (lines) => [...lines, line]);
  await expect(verifyExport(file, by())).rejects.toMatchObject({
    code: 'export_unreadable',
    message: /Line 2/,
  });
});

test('a file that is not there is named', async () => {
  await expect(verifyExport('/nowhere/changes.jsonl', by())).rejects.toMatchObject({
    code: 'file_unreadable',
  });
});
