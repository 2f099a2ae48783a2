import * as partitions from '../../src/audit/analytics/partitions-store.ts';
import * as rollup from '../../src/audit/analytics/rollup-store.ts';
import * as summary from '../../src/audit/analytics/summary-store.ts';
import * as chain from '../../src/audit/chain/chain-store.ts';
import * as exported from '../../src/audit/export-store.ts';
import * as jobs from '../../src/audit/jobs/jobs-store.ts';
import * as personal from '../../src/audit/personal/personal-store.ts';
import { places } from '../../src/audit/personal/places.ts';
import * as audit from '../../src/audit/store.ts';
import { type Entry, operator, silent, tenant, touchesNothing } from './entry.ts';
import type { Target } from './world.ts';

const entryOf = (it: Target) => ({
  ...{
    actor: 'mallory',
    action: 'tenant.update',
    targetKind: 'tenant',
    targetId: it.tenant,
    tenant: it.tenant,
  },
});
const callOf = (it: Target) => ({
  ...{
    id: crypto.randomUUID(),
    at: 0,
    request_id: 'r',
    tenant_id: it.tenant,
    face: 'stream',
    method: 'POST',
  },
  ...{ endpoint: '/mcp', outcome: 'ok', status_code: 200, response_time_ms: 1, bytes_in: 1, bytes_out: 1 },
});
const turn = { name: 'work', holder: 'mallory' };
const times = { everySeconds: 0, isAnew: true, leaseSeconds: 9 };
const before = new Date(0);
const userPlace = places.at(-7) ?? places[0];

export const auditStores: Readonly<Record<string, Readonly<Record<string, Entry>>>> = {
  'src/audit/store.ts': {
    writeAudit: tenant((db, it) => audit.writeAudit(db, entryOf(it))),
    addAudit: tenant(async (db, it) => void (await audit.addAudit(db, entryOf(it)))),
    insertCalls: operator((db, it) => audit.insertCalls(db, [callOf(it)])),
    listAudit: operator(async (db) => (await audit.listAudit(db, { limit: 100, search: 'acme' })).items),
    listCalls: operator(
      async (db, it) => (await audit.listCalls(db, { limit: 100, tenant: it.tenant })).items,
    ),
  },
  // Parts of statements, which ask for nothing by themselves.
  'src/audit/conditions-store.ts': {
    all: touchesNothing,
    auditFilter: touchesNothing,
    callFilter: touchesNothing,
    callsWithin: touchesNothing,
  },
  'src/audit/export-store.ts': {
    auditAfter: operator((db) => exported.auditAfter(db, { limit: 100 }, 0)),
    callsAfter: operator((db, it) => exported.callsAfter(db, { limit: 100, tenant: it.tenant }, null)),
    scanEnd: silent(
      'operator',
      async (db) => (await exported.scanEnd(db, { storedAt: '-infinity', id: '' }, 9)).isLast,
    ),
    callsStoredAfter: silent('operator', (db) =>
      exported.callsStoredAfter(
        db,
        { refusedOnly: false, limit: 100, upTo: 'infinity' },
        { storedAt: '-infinity', id: '00000000-0000-0000-0000-000000000000' },
      ),
    ),
  },
  'src/audit/chain/chain-store.ts': {
    readChain: operator(async (db) => (await chain.readChain(db, 0, 100)).length),
    chainHead: operator(async (db) => (await chain.chainHead(db))?.seq),
    hashesAt: operator(async (db) => (await chain.hashesAt(db, [1])).size),
    hasHash: silent('operator', (db) => chain.hasHash(db, '00')),
    findUnchained: silent('operator', (db) => chain.findUnchained(db)),
  },
  'src/audit/jobs/jobs-store.ts': {
    takeTurn: operator((db) => jobs.takeTurn(db, turn, times)),
    keepTurn: operator(async (db) => {
      await jobs.takeTurn(db, turn, times);
      return jobs.keepTurn(db, turn, { at: 1 }, 9);
    }),
    holdTurn: silent('operator', (db) => jobs.holdTurn(db, turn, 9)),
    endTurn: silent('operator', (db) => jobs.endTurn(db, turn)),
    leaveTurn: silent('operator', (db) => jobs.leaveTurn(db, turn)),
    failTurn: silent('operator', (db) => jobs.failTurn(db, turn, { firstSeconds: 1, longestSeconds: 2 })),
    stateOf: silent('operator', (db) => jobs.stateOf(db, turn.name)),
    standingOf: silent('operator', (db) => jobs.standingOf(db, turn.name)),
  },
  'src/audit/analytics/partitions-store.ts': {
    // Only the owner of the tables may.
    makeWeeks: touchesNothing,
    attachWeek: touchesNothing,
    countWeek: touchesNothing,
    countUntaken: touchesNothing,
    missingWeeks: touchesNothing,
    noteRetention: operator((db) => partitions.noteRetention(db, {})),
    dropWeek: touchesNothing,
    deleteRest: touchesNothing,
    listWeeks: silent('operator', (db) => partitions.listWeeks(db)),
  },
  'src/audit/analytics/rollup-store.ts': {
    touchedHours: silent('operator', (db) => rollup.touchedHours(db, before, before)),
    databaseTime: touchesNothing,
    rollUpHour: silent('operator', (db) => rollup.rollUpHour(db, before)),
    rollUpDay: silent('operator', (db) => rollup.rollUpDay(db, before)),
    deleteRollups: silent('operator', (db) => rollup.deleteRollups(db, before)),
  },
  'src/audit/analytics/summary-store.ts': {
    summarize: operator((db) =>
      summary.summarize(db, {
        ...{ from: '2000-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z', by: 'user' as const, limit: 9 },
      }),
    ),
  },
  'src/audit/personal/personal-store.ts': {
    rowsOf: operator((db, it) => (userPlace ? personal.rowsOf(db, userPlace, it.user) : Promise.resolve([]))),
    auditOf: operator((db, it) => personal.auditOf(db, it.canary, '0', 100)),
    eraseAt: operator((db, it) =>
      personal.eraseAt(
        db,
        { table: 'users', column: 'email', is: 'row' },
        { email: it.user, pseudonym: 'erased-0000000000000000' },
      ),
    ),
    // Only the owner of the tables may.
    eraseCalls: touchesNothing,
    eraseAudit: touchesNothing,
    isInAudit: operator((db, it) => personal.isInAudit(db, it.canary)),
    hasEndings: silent('operator', (db, it) => personal.hasEndings(db, it.user)),
    lockPerson: silent('operator', (db, it) => personal.lockPerson(db, it.user)),
  },
};
