import { open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { coalesce } from './coalesce.ts';

/** What a snapshot is made from. */
export interface SnapshotSource {
  /** Grows with each transaction that writes. */
  version(): Promise<string>;
  /** The database as a tar archive. */
  dump(): Promise<Uint8Array>;
}

/** Takes snapshots while a database is open. */
export interface SnapshotKeeper {
  /** Takes the last one. */
  close(): Promise<void>;
}

const kept = 2;
const everyMs = 15 * 60_000;
const pattern = /^.+_(\d+)\.tar\.gz$/;

/**
 * The embedded database does not survive a power loss as surely as PostgreSQL does, so it is copied to
 * `directory` every 15 minutes and at the end. A copy that fails is logged; the next one is tried in its turn.
 */
export function keepSnapshots(directory: string, source: SnapshotSource, log: Log): SnapshotKeeper {
  const take = coalesce(async () => {
    try {
      const path = await takeSnapshot(directory, source, new Date());
      if (path !== null) log.debug({ path }, 'wrote a snapshot of the embedded database');
    } catch (error) {
      log.error({ error: messageOf(error) }, 'no snapshot of the embedded database was written');
    }
  });
  const timer = setInterval(() => void take(), everyMs).unref();
  return {
    close() {
      clearInterval(timer);
      return take();
    },
  };
}

/** Writes one unless nothing changed since the last; resolves with its path, or null. */
export async function takeSnapshot(
  directory: string,
  source: SnapshotSource,
  now: Date,
): Promise<string | null> {
  const version = await source.version();
  const [newest] = await listSnapshots(directory);
  if (newest !== undefined && pattern.exec(newest)?.[1] === version) return null;
  const name = `${now.toISOString().replaceAll(':', '-')}_${version}.tar.gz`;
  const path = join(directory, name);
  await writeDurably(directory, path, await source.dump());
  for (const old of (await listSnapshots(directory)).slice(kept))
    await rm(join(directory, old), { force: true });
  return path;
}

/** File names, newest first. */
export async function listSnapshots(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names.filter((name) => pattern.test(name)).sort((a, b) => (a < b ? 1 : -1));
}

/** Whole or not at all, also when the power goes in the middle. */
async function writeDurably(directory: string, path: string, bytes: Uint8Array): Promise<void> {
  const draft = join(directory, 'next.partial');
  const file = await open(draft, 'w', 0o600);
  try {
    const gzip = createGzip({ level: constants.Z_BEST_SPEED });
    await pipeline(Readable.from(pieces(bytes)), gzip, async (compressed: AsyncIterable<Buffer>) => {
      for await (const chunk of compressed) await file.writeFile(chunk);
    });
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  const folder = await open(directory, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  const size = 1 << 20;
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}
