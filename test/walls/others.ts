import * as catalog from '../../src/catalog/store.ts';
import { type Entry, operator, silent, touchesNothing } from './entry.ts';
import { server, type Target } from './world.ts';

const placeOf = (it: Target) => ({ server, key: it.text, reachedAt: 'taken' });
const pin = {
  hash: 'taken',
  tool: 'taken',
  definition: { name: 'taken', inputSchema: {} } as never,
  flags: [],
};

export const otherStores: Readonly<Record<string, Readonly<Record<string, Entry>>>> = {
  'src/catalog/store.ts': {
    loadPins: operator((db) => catalog.loadPins(db)),
    loadPlaces: operator((db) => catalog.loadPlaces(db)),
    // Servers are nobody's secret.
    serverExists: silent('tenant', (db) => catalog.serverExists(db, server)),
    claimPlace: operator((db, it) => catalog.claimPlace(db, placeOf(it))),
    insertPins: operator((db, it) => catalog.insertPins(db, placeOf(it), [pin], null)),
    prunePending: operator((db, it) => catalog.prunePending(db, placeOf(it), { perTool: 0, perPlace: 0 })),
    countPending: operator((db, it) => catalog.countPending(db, placeOf(it))),
    noteMissing: operator((db, it) => catalog.noteMissing(db, placeOf(it), [it.canary])),
    noteBack: operator(async (db, it) => {
      await catalog.noteMissing(db, placeOf(it), [it.canary]);
      const between = await catalog.listPins(db, { limit: 100 }, null);
      await catalog.noteBack(db, placeOf(it), [it.canary]);
      return [between.length, (await catalog.listPins(db, { limit: 100 }, null)).length];
    }),
    listPins: operator((db) => catalog.listPins(db, { limit: 100 }, null)),
    findPin: operator((db, it) => catalog.findPin(db, it.id)),
    pendingIds: operator((db) => catalog.pendingIds(db, server)),
    acceptPins: operator((db, it) => catalog.acceptPins(db, [it.id], 'mallory')),
  },
  // What processes tell each other lies in no table.
  'src/platform/bus/notify-store.ts': { notify: touchesNothing },
};
