import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/db/index.ts';
import { createGuardedFetch, type GuardedFetch } from '../platform/guarded-fetch.ts';
import type { Log } from '../platform/log.ts';
import type { NetGuard } from '../platform/net-guard.ts';
import { weeksJob } from './analytics/keep-weeks.ts';
import { rollupJob } from './analytics/rollup.ts';
import { anchorJob } from './chain/anchor.ts';
import { type AnchorSigner, anchorSigner } from './chain/anchor-line.ts';
import { checkJob } from './chain/check.ts';
import { chainStanding, checkJobName } from './chain/standing.ts';
import type { AuditFile, PushTarget } from './contract.ts';
import { createJobs, type Job, type Jobs } from './jobs/jobs.ts';
import { httpSender } from './push/http.ts';
import { pushJob } from './push/push.ts';
import { syslogSender } from './push/syslog.ts';

/** What happens to records once they are stored. */
export interface Records {
  readonly signer: AnchorSigner;
  /** Takes the settings that are in force from here on. */
  reload(): Promise<void>;
  /** Jobs that fail, by name, and since when. */
  failing(): ReadonlyMap<string, Date>;
  /** Since when the chain of changes, or what was kept of it elsewhere, is found broken; null while all is well. */
  brokenSince(): Promise<Date | null>;
  /** Checks the chain before its time; resolves when it was done, or another process is at it. */
  recheck(): Promise<void>;
  close(): Promise<void>;
}

interface Options {
  readonly database: Database;
  readonly log: Log;
  readonly clock: Clock;
  readonly guard: NetGuard;
  /** What the key that anchors are signed with is made of. */
  readonly secret: Buffer;
  readonly audit: () => AuditFile;
  readonly retainDays: () => number;
}

/** Keeps records by week, counts them, and brings them to other systems: one process of an installation at a time. */
export function createRecords(o: Options): Records {
  const { database, log, clock, retainDays } = o;
  const signer = anchorSigner(o.secret);
  const fetch = createGuardedFetch({ guard: o.guard });
  const upkeep = createJobs({
    // Once may be a database that was away for a moment.
    toldAfter: 2,
    db: database.db,
    log,
    jobs: [
      weeksJob({ database, log, clock, retainDays, targets: () => o.audit().push }),
      rollupJob({ database, retainDays }),
      checkJob({ db: database.db, log, key: signer.publicKey, anchors: () => o.audit().anchor?.file }),
    ],
  });
  const brokenSince = chainStanding(database.db);
  // That it failed is told by the job.
  const recheck = () =>
    upkeep.run(checkJobName).then(
      () => undefined,
      () => undefined,
    );
  /** What is known to be broken is checked when it is time. */
  const missing = async () => (await brokenSince()) ?? recheck();
  const ways = { signer, fetch, missing };
  let settings = o.audit();
  let targets = openTargets(o, { settings, ...ways });
  return {
    signer,
    async reload() {
      if (JSON.stringify(o.audit()) === JSON.stringify(settings)) return;
      settings = o.audit();
      await targets.close();
      targets = openTargets(o, { settings, ...ways });
    },
    brokenSince,
    recheck,
    failing: () => new Map([...upkeep.failing(), ...targets.failing()]),
    async close() {
      await Promise.all([upkeep.close(), targets.close()]);
      await fetch.close();
    },
  };
}

interface Ways {
  readonly settings: AuditFile;
  readonly signer: AnchorSigner;
  readonly fetch: GuardedFetch;
  readonly missing: () => Promise<unknown>;
}

function openTargets(
  { database: { db }, log, clock, guard }: Options,
  { settings, signer, fetch, missing }: Ways,
): Jobs {
  const { anchor, push } = settings;
  const senderOf = (target: PushTarget) =>
    target.kind === 'http' ? httpSender(fetch, target) : syslogSender({ ...target, guard });
  const jobs: Job[] = push.map((target) => pushJob({ db, target, send: senderOf(target) }));
  if (anchor) jobs.push(anchorJob({ db, clock, fetch, signer, settings: anchor, missing }));
  return createJobs({ db, log, jobs });
}
