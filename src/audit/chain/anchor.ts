import { createHmac } from 'node:crypto';
import { open } from 'node:fs/promises';
import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import type { Db } from '../../platform/db/index.ts';
import type { GuardedFetch } from '../../platform/guarded-fetch.ts';
import type { AuditFile } from '../contract.ts';
import type { Job } from '../jobs/jobs.ts';
import type { AnchorSigner } from './anchor-line.ts';
import { chainHead } from './chain-store.ts';

type Settings = NonNullable<AuditFile['anchor']>;

interface Deps {
  readonly db: Db;
  readonly clock: Clock;
  readonly fetch: GuardedFetch;
  readonly signer: AnchorSigner;
  readonly settings: Settings;
}

const progress = z.object({ seq: z.number() }).catch({ seq: 0 });

/** Brings the head of the chain to where whoever writes the database cannot change it. */
export function anchorJob({ db, clock, fetch, signer, settings }: Deps): Job {
  return {
    name: 'audit anchor',
    everyMs: settings.everyMinutes * 60_000,
    async run({ state, keep }) {
      const head = await chainHead(db);
      if (head === undefined || head.seq === progress.parse(state).seq) return;
      const line = signer.line(head, new Date(clock()));
      if (settings.file !== undefined) await appendLine(settings.file, line);
      if (settings.url !== undefined) await post(fetch, settings.url, settings.secret, line);
      await keep({ seq: head.seq });
    },
  };
}

async function appendLine(file: string, line: string): Promise<void> {
  const handle = await open(file, 'a', 0o600);
  try {
    await handle.appendFile(`${line}\n`);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

async function post(
  fetch: GuardedFetch,
  url: string,
  secret: string | undefined,
  line: string,
): Promise<void> {
  const signature = secret && `sha256=${createHmac('sha256', secret).update(line).digest('hex')}`;
  const headers = {
    'content-type': 'application/json',
    ...(signature && { 'x-toolgate-signature': signature }),
  };
  const { status } = await fetch.fetch(url, { method: 'POST', body: line, headers });
  if (status < 200 || status > 299) throw new Error(`the place for anchors answered HTTP ${status}`);
}
