import { createHmac } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import type { Db } from '../../platform/db/index.ts';
import type { GuardedFetch } from '../../platform/guarded-fetch.ts';
import type { AuditFile } from '../contract.ts';
import type { Job } from '../jobs/jobs.ts';
import {
  anchorJobName,
  type AnchorProgress,
  anchorProgress,
  appendLine,
  sizeOf,
  takenOver,
  unwritten,
} from './anchor-file.ts';
import type { AnchorSigner } from './anchor-line.ts';
import { chainHead } from './chain-store.ts';

type Settings = NonNullable<AuditFile['anchor']>;

interface Deps {
  readonly db: Db;
  readonly clock: Clock;
  readonly fetch: GuardedFetch;
  readonly signer: AnchorSigner;
  readonly settings: Settings;
  /** Told when the file is shorter than it was: the chain is checked at once. */
  readonly missing: () => Promise<unknown>;
}

/** Brings the head of the chain to where whoever writes the database cannot change it. */
export function anchorJob({ db, clock, fetch, signer, settings, missing }: Deps): Job {
  return {
    name: anchorJobName,
    everyMs: settings.everyMinutes * 60_000,
    async run({ state, keep }) {
      const head = await chainHead(db);
      let at = progressOf(state, settings);
      if (settings.file !== undefined && (await sizeOf(settings.file)) < at.size) await missing();
      if (head === undefined || head.seq === at.seq) return;
      const line = signer.line(head, new Date(clock()));
      if (settings.file !== undefined && head.seq !== at.file) {
        if (at.size === 0) at = await takenOver(at);
        const added = await appendLine(settings.file, line);
        // As much as it would be, had nobody taken anything out: it never looks whole again.
        at = { ...at, file: head.seq, size: at.size + added, anchors: at.anchors + 1 };
        await keep(at);
      }
      if (settings.url !== undefined) await post(fetch, settings.url, settings.secret, line);
      await keep({ ...at, seq: head.seq });
    },
  };
}

/** Another file begins with the head as it is. */
function progressOf(state: unknown, { file = '' }: Settings): AnchorProgress {
  const at = anchorProgress.parse(state);
  return at.path === file ? at : unwritten(file);
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
