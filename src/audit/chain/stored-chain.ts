import type { Db } from '../../platform/db/index.ts';
import type { ChainRow, ChainSource } from './chain-source.ts';
import { findUnchained, hashesAt, hasHash, readChain } from './chain-store.ts';

/** Records in memory at a time. */
const batch = 2_000;

/** The chain as it is in the database. */
export function storedChain(db: Db): ChainSource {
  return {
    rows: () => storedRows(db),
    hashesAt: (places) => hashesAt(db, places),
    hasHash: (hash) => hasHash(db, hash),
    findUnchained: () => findUnchained(db),
  };
}

async function* storedRows(db: Db): AsyncGenerator<ChainRow> {
  for (let after = 0; ; ) {
    const rows = await readChain(db, after, batch);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < batch) return;
    after = last.seq;
  }
}
