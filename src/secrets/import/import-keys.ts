import type { z } from 'zod';
import type { Actor } from '../../platform/contract.ts';
import type { Db } from '../../platform/db/index.ts';
import { auditSet, type KeyDeps, lastFourOf } from '../keys/change-key.ts';
import type { importAnswer, ImportedRow, keyImport } from '../contract.ts';
import { csvDrafts, type Draft, type Dropped, envDrafts } from './drafts.ts';
import { check, type Planned } from './check-draft.ts';
import { putMany, storedAlready, worldOf } from './import-store.ts';

type Wish = z.infer<typeof keyImport>;
type Answer = z.infer<typeof importAnswer>;

const mostRows = 5_000;

/** A row with what becomes of it. */
interface Row {
  readonly shown: ImportedRow;
  readonly planned: Planned | null;
  /** Last four characters of what it replaces. */
  readonly replaced: string | undefined;
}

/** What an import would do, or does: all of its good rows in one transaction. No value is in the answer. */
export async function importKeys(deps: KeyDeps, wish: Wish, actor: Actor): Promise<Answer> {
  const drafts =
    wish.format === 'csv' ? csvDrafts(wish.text) : envDrafts(wish.text, deps.needs.envPlaces(), wish.tenant);
  // Whose the keys are is found out in here, so this is the operator's scope.
  const answer = await deps.database.db.transaction().execute(async (trx) => {
    const rows = await planned(trx, deps, wish, drafts);
    const good = rows.filter(({ planned }) => planned !== null);
    const errors = rows.filter(({ shown }) => shown.action === 'error').length;
    const isKept = errors === 0 || !wish.allOrNothing;
    if (isKept && !wish.dryRun) await store(trx, deps, good, actor);
    return {
      dryRun: wish.dryRun,
      stored: isKept ? good.length : 0,
      errors,
      rows: rows.map(({ shown }) => shown),
    };
  });
  if (!wish.dryRun && answer.stored > 0) await deps.changed();
  return answer;
}

async function planned(
  trx: Db,
  { needs }: KeyDeps,
  wish: Wish,
  drafts: readonly (Draft | Dropped)[],
): Promise<Row[]> {
  if (drafts.length > mostRows)
    return [
      failed({
        line: drafts[mostRows]?.line ?? 0,
        action: 'error',
        message: `is beyond the ${mostRows} rows that one import takes; split the file`,
      }),
    ];
  const whole = drafts.filter((draft): draft is Draft => 'value' in draft);
  const texts = (of: (draft: Draft) => string) =>
    [...new Set(whole.map(of))].filter((text) => !text.includes('\0'));
  const owners = texts(({ owner }) => owner);
  const world = await worldOf(trx, {
    tenants: [
      ...texts(({ tenant }) => tenant),
      ...owners,
      ...(wish.tenant === undefined ? [] : [wish.tenant]),
    ],
    groups: owners,
    users: owners.map((owner) => owner.toLowerCase()),
  });
  const taken = new Map<string, number>();
  const checked = drafts.map((draft) =>
    'value' in draft ? check(draft, { world, needs, only: wish.tenant, taken }) : draft,
  );
  const good = checked.filter((one): one is Planned => 'binding' in one);
  const stored = await storedAlready(
    trx,
    good.map(({ binding }) => binding),
  );
  let at = 0;
  return checked.map((one) => ('binding' in one ? succeeded(one, stored.get(at++)) : failed(one)));
}

function succeeded(planned: Planned, replaced: string | undefined): Row {
  const { line, binding, value, message } = planned;
  const { tenant, owner, server, name } = binding;
  const action = replaced === undefined ? 'create' : 'replace';
  const shown: ImportedRow = {
    ...{ line, action, level: owner.level, owner: owner.id, tenant, server, name },
    ...{ lastFour: lastFourOf(value), message },
  };
  return { shown, planned, replaced };
}

function failed({ line, action, message }: Dropped): Row {
  const nothing = { level: null, owner: null, tenant: null, server: null, name: null, lastFour: '' };
  return {
    shown: { line, action, ...nothing, message: `Line ${line} ${message}.` },
    planned: null,
    replaced: undefined,
  };
}

async function store(trx: Db, { box }: KeyDeps, rows: readonly Row[], actor: Actor): Promise<void> {
  const keys = rows.flatMap(({ planned, shown, replaced }) => {
    if (planned === null) return [];
    const { binding, value } = planned;
    return [{ binding, sealed: box.seal(value, binding), lastFour: shown.lastFour, replaced }];
  });
  await putMany(trx, keys, actor.id);
  for (const { binding, lastFour, replaced } of keys)
    await auditSet(trx, { binding, actor, via: 'import' }, { before: replaced ?? null, after: lastFour });
}
