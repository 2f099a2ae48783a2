import { createHash } from 'node:crypto';
import { writeAudit } from '../audit/index.ts';
import type { Db } from '../platform/db/index.ts';
import type { AccessFile } from './contract.ts';
import { type Entry, type FileRecord, fileRecords, type Found } from './file-records.ts';
import { appliedEntries, forgetEntry, type RecordKind, saveEntry } from './file-store.ts';
import { lockWrites } from './store-lock.ts';
import { lockUsers } from './users-store.ts';

/** What applying the file does to one record; `orphan`: the file no longer has it, and without `prune` it stays. */
export interface Change {
  readonly kind: 'create' | 'update' | 'delete' | 'orphan';
  readonly record: RecordKind;
  readonly id: string;
  /** Of an update: what is different afterwards. */
  readonly fields?: readonly string[];
}

/**
 * Brings the file into the database, in one transaction; replicas that do it at once take turns. An entry is
 * applied when it differs from what the file said last time: until then, what an administrator has changed,
 * or deleted, stays so. An entry that is applied decides what it states; memberships, grants and endpoints
 * from elsewhere stay beside it. `actor` is who the audit log names.
 */
export function applyFile(db: Db, file: AccessFile, o: { prune: boolean; actor: string }): Promise<Change[]> {
  return db.transaction().execute((trx) => applyIn(trx, file, o));
}

/** What applyFile() would do: it is done, and taken back. */
export async function planFile(
  db: Db,
  file: AccessFile,
  o: { prune: boolean } = { prune: false },
): Promise<Change[]> {
  const trx = await db.startTransaction().execute();
  try {
    return await applyIn(trx, file, { prune: o.prune, actor: 'plan' });
  } finally {
    await trx.rollback().execute();
  }
}

async function applyIn(trx: Db, file: AccessFile, o: { prune: boolean; actor: string }): Promise<Change[]> {
  await lockWrites(trx);
  await lockUsers(trx, Object.keys(file.users));
  const applied = new Map((await appliedEntries(trx)).map((entry) => [keyOf(entry.record, entry.id), entry]));
  const changes: Change[] = [];
  for (const kind of fileRecords) {
    for (const entry of kind.entries(file)) {
      const key = keyOf(kind.record, entry.id);
      const hash = hashOf(entry.content);
      if (applied.get(key)?.hash !== hash) {
        changes.push(...(await applyEntry(trx, kind, entry, o.actor)));
        await saveEntry(trx, kind.record, entry.id, hash);
      }
      applied.delete(key);
    }
  }
  // What depends on others goes before them.
  for (const kind of fileRecords.toReversed()) {
    const gone = [...applied.values()].filter(({ record }) => record === kind.record);
    for (const { id } of gone) changes.push(...(await leave(trx, kind, id, o)));
  }
  return changes;
}

async function applyEntry(trx: Db, kind: FileRecord, entry: Entry, actor: string): Promise<Change[]> {
  const before = await kind.find(trx, entry.id);
  await entry.put(trx);
  const after = await kind.find(trx, entry.id);
  const { record } = kind;
  const fields = differences(before?.state ?? {}, after?.state ?? {});
  if (before !== undefined && fields.length === 0) return [];
  const change: Change =
    before === undefined
      ? { kind: 'create', record, id: entry.id }
      : { kind: 'update', record, id: entry.id, fields };
  await audit(trx, change, actor, { before, after });
  return [change];
}

/** An entry that the file no longer has. A record that is gone, or kept by an administrator since, is none of its business. */
async function leave(
  trx: Db,
  kind: FileRecord,
  id: string,
  o: { prune: boolean; actor: string },
): Promise<Change[]> {
  const before = await kind.find(trx, id);
  if (!before?.fromFile) {
    await forgetEntry(trx, kind.record, id);
    return [];
  }
  if (!o.prune) return [{ kind: 'orphan', record: kind.record, id }];
  await kind.remove(trx, id);
  await forgetEntry(trx, kind.record, id);
  const change: Change = { kind: 'delete', record: kind.record, id };
  await audit(trx, change, o.actor, { before, after: await kind.find(trx, id) });
  return [change];
}

function audit(
  trx: Db,
  change: Change,
  actor: string,
  { before, after }: { before: Found | undefined; after: Found | undefined },
): Promise<void> {
  return writeAudit(trx, {
    actor,
    action: `${change.record}.${change.kind}`,
    targetKind: change.record,
    targetId: change.id,
    tenant: change.record === 'tenant' ? change.id : null,
    before: before?.shown,
    // Names what changed: a new header value leaves no other trace, because values are never shown.
    after: after && { ...Object(after.shown), ...(change.fields && { changed: change.fields }) },
  });
}

function differences(before: Found['state'], after: Found['state']): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].filter((key) => canonical(before[key]) !== canonical(after[key])).sort();
}

function hashOf(content: unknown): string {
  return createHash('sha256').update(canonical(content)).digest('base64url');
}

/** JSON with sorted keys: the order in which an entry or a row lists its fields means nothing. */
function canonical(value: unknown): string {
  const sorted = (_key: string, node: unknown) =>
    typeof node === 'object' && node !== null && !Array.isArray(node)
      ? Object.fromEntries(Object.entries(node).sort(([a], [b]) => (a < b ? -1 : 1)))
      : node;
  return JSON.stringify(value, sorted) ?? '';
}

function keyOf(record: RecordKind, id: string): string {
  return `${record} ${id}`;
}
