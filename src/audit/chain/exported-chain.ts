// What `toolgate audit export` wrote, read by somebody who has neither the database nor this installation.
import { createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { exportUnreadable, fileUnreadable } from '../errors.ts';
import type { Verification } from '../contract.ts';
import type { ChainRow, ChainSource } from './chain-source.ts';
import { type Anchored, verifySource } from './verify.ts';

const text = z.string().nullable();
const hex = z.string().regex(/^[0-9a-f]{64}$/);

const exportedLine = z.object({
  id: z.string(),
  timestamp: z.string(),
  actor: z.string(),
  action: z.string(),
  targetKind: z.string(),
  targetId: z.string(),
  tenant: text,
  before: z.unknown(),
  after: z.unknown(),
  requestId: text,
  clientIp: text,
  chain: z.object({
    seq: z.number(),
    previous: hex,
    hash: hex,
    digest: hex,
    commitments: z.array(hex),
    salts: z.array(text),
    // Exports of the version before have none.
    erasures: z
      .array(z.tuple([z.string(), z.string(), hex]))
      .nullable()
      .default(null),
    before: text,
    after: text,
  }),
});
type ExportedLine = z.infer<typeof exportedLine>;

/** Verifies an export by itself, and the anchors that were kept of its chain. Rejects with `export_unreadable`. */
export async function verifyExport(file: string, anchored: Anchored): Promise<Verification> {
  await access(file).catch((cause: unknown) => {
    throw fileUnreadable(file, cause);
  });
  return verifySource(exportedChain(file), anchored);
}

/** The chain in a file of JSON lines; what has no place in the chain is not exported, so it cannot be missed here. */
function exportedChain(file: string): ChainSource {
  const lines = () => linesOf(file);
  return {
    async *rows() {
      for await (const line of lines()) yield rowOf(line);
    },
    async hashesAt(places) {
      const wanted = new Set(places);
      const found = new Map<number, string>();
      for await (const { chain } of lines()) if (wanted.has(chain.seq)) found.set(chain.seq, chain.hash);
      return found;
    },
    async hasHash(hash) {
      for await (const { chain } of lines()) if (chain.hash === hash) return true;
      return false;
    },
    findUnchained: () => Promise.resolve(undefined),
  };
}

async function* linesOf(file: string): AsyncGenerator<ExportedLine> {
  const input = createReadStream(file, 'utf8');
  let at = 0;
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      at += 1;
      if (line.trim() === '') continue;
      const read = exportedLine.safeParse(parsed(line));
      if (!read.success) throw exportUnreadable(file, at);
      yield read.data;
    }
  } finally {
    input.destroy();
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function rowOf(line: ExportedLine): ChainRow {
  const { id, timestamp, actor, action, targetKind, targetId, tenant, requestId, clientIp, chain } = line;
  const { seq, previous, hash, digest, commitments, salts, erasures, before, after } = chain;
  return {
    ...{ seq, previous, hash, digest, commitments, salts, erasures },
    ...{ record: id, found: id, id, timestamp, actor, action, before, after },
    ...{ target_kind: targetKind, target_id: targetId, tenant_id: tenant },
    ...{ request_id: requestId, client_ip: clientIp },
    // What people read is one text, and what was hashed another.
    shownOtherwise: (['before', 'after'] as const).find((part) => !isShown(line[part], chain[part])),
  };
}

function isShown(shown: unknown, hashed: string | null): boolean {
  return isDeepStrictEqual(shown ?? null, hashed === null ? null : parsed(hashed));
}
