import type { Recorder } from '../audit/index.ts';
import type { Gateway, StdioSettings } from '../gateway/index.ts';
import type { Bus } from '../platform/bus/contract.ts';
import type { Changes, Database } from '../platform/db/index.ts';
import type { WorkerSide } from '../platform/workers/worker.ts';
import { missingWorkers } from './missing-workers.ts';
import type { Degraded } from './status.ts';

const pingMs = 1_000;

/** Everything long-lived that can be away while calls go on. */
export interface Watched {
  readonly database: Database;
  readonly changes: Changes;
  readonly recorder: Recorder;
  /** What fails of the work on records that are stored, and since when. */
  readonly records: {
    failing(): ReadonlyMap<string, Date>;
    /** Since when the chain of changes, or what was kept of it elsewhere, is found broken. */
    brokenSince(): Promise<Date | null>;
  };
  readonly gateway: Gateway;
  readonly bus: Bus;
  readonly stdio: StdioSettings;
  readonly masterKeys: { problem(): { readonly since: Date; readonly meaning: string } | null };
  readonly access: { readonly live: Loaded };
  readonly vault: Loaded;
  readonly accounts: Loaded;
  /** Since when the config file is wrong, and the content before it in force. */
  readonly fileTrouble: { readonly since: Date | null };
  /** Undefined where there is none. */
  readonly openWebUi?: { awaySince(): Promise<Date | null> } | undefined;
  /** Undefined where nobody counts along. */
  readonly sharedLimits?: { awaySince(): Date | null } | undefined;
  /** Undefined for a process that serves alone. */
  readonly worker?: WorkerSide | undefined;
  readonly observe: { readonly tracer: { failingSince(): Date | null } | undefined };
}

interface Loaded {
  staleSince(): Date | null;
}

type State = Omit<Degraded, 'part'> | null;

/** How each part stands; null: well. None may take longer than a second, whatever hangs. */
const parts: Readonly<Record<string, (o: Watched) => State | Promise<State>>> = {
  database: async ({ database, recorder, changes }) => {
    const isUp = await database.ping(pingMs).then(
      () => true,
      () => false,
    );
    return isUp
      ? null
      : {
          since: recorder.state().degradedSince ?? changes.failingSince(),
          meaning: 'Calls go on with the rights and keys last seen; changes by admins have to wait.',
        };
  },
  'rights and servers': (o) => unloaded('rights and servers', o.access.live, o),
  keys: (o) => unloaded('keys', o.vault, o),
  accounts: (o) => unloaded('accounts', o.accounts, o),
  'walls between tenants': ({ database }) =>
    database.walls.missing()
      ? {
          since: null,
          meaning:
            'Tenants are kept apart by the program alone, not a second time by the database; the log says why.',
        }
      : null,
  records: ({ recorder }) => {
    const { degradedSince, diskRefusedSince, unreadable, queued, spilled } = recorder.state();
    if (diskRefusedSince && degradedSince === null && recorder.accepting()) {
      const meaning =
        'The disk takes no records: a process that is killed would lose the last ones. The log says why.';
      return away(diskRefusedSince, meaning);
    }
    if (unreadable > 0 && degradedSince === null && recorder.accepting()) {
      const meaning = `${unreadable} files in spill/ cannot be read; their records are not in the database. The log names them.`;
      return { since: null, meaning };
    }
    const waiting = `${queued + spilled} records wait in memory and on disk until the database is back`;
    if (recorder.accepting()) return away(degradedSince, `${waiting}.`);
    return { since: degradedSince, meaning: `${waiting}. There is no room for more: calls are refused.` };
  },
  'work on records': ({ records }) => {
    const [job, since] = [...records.failing()][0] ?? [];
    const meaning = `The job "${job}" fails again and again, and is tried again; records are kept meanwhile. The log of the process that tried says why.`;
    return away(since ?? null, meaning);
  },
  'records of changes': async ({ records }) =>
    away(
      await records.brokenSince(),
      'Records of changes, or anchors of them, were changed or removed; everything is served and recorded as before. The log says which; see docs/audit.md.',
    ),
  'config file': ({ fileTrouble: { since } }) =>
    away(since, 'The config file is wrong, and the content before is in force; the log lists the mistakes.'),
  'Open WebUI': async ({ openWebUi }) =>
    away(
      (await openWebUi?.awaySince()) ?? null,
      "People see a page that says so; tools, and all else that is Toolgate's own, work.",
    ),
  'messages between replicas': ({ bus }) =>
    away(
      bus.awaySince(),
      'Replicas do not hear of each other: answers, cancellations and streams work only on the one that has the call.',
    ),
  'shared limits': ({ sharedLimits }) =>
    away(
      sharedLimits?.awaySince() ?? null,
      'What counts for all processes is away, so each one limits alone.',
    ),
  'master keys': ({ masterKeys }) => masterKeys.problem(),
  runner: ({ stdio }) => {
    const runner = stdio.runner?.away?.();
    if (!runner) return null;
    const meaning = `Servers that are processes cannot be used until the runner is back. ${runner.why}`;
    return { since: runner.since, meaning };
  },
  workers: ({ worker }) => (worker ? missingWorkers(worker) : null),
  traces: ({ observe }) =>
    away(observe.tracer?.failingSince() ?? null, 'The collector takes no traces, and they are lost.'),
};

/** What may be degraded beside servers, which are named one by one. */
export const partNames: readonly string[] = Object.keys(parts);

/** What does not work as it should at this moment. Resolves within about a second, whatever hangs. */
export async function degradedParts(watched: Watched): Promise<Degraded[]> {
  const states = await Promise.all(
    Object.entries(parts).map(async ([part, look]) => ({ part, state: await look(watched) })),
  );
  const servers = watched.gateway.unreachable().map(({ server, since, message }) => ({
    ...{ part: `server ${server}`, since },
    meaning: message,
  }));
  return [...states.flatMap(({ part, state }) => (state ? [{ part, ...state }] : [])), ...servers];
}

/** While the database is away, that says it all. */
function unloaded(what: string, loaded: Loaded, { changes }: Watched): State {
  const meaning = `Changes of ${what} cannot be loaded; calls go on with what was loaded last. The log says why.`;
  return away(changes.failingSince() ? null : loaded.staleSince(), meaning);
}

function away(since: Date | null, meaning: string): State {
  return since && { since, meaning };
}
