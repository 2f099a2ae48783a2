import type { z } from 'zod';
import type { ServerView } from '../../access/index.ts';
import type { AuthKind, catalogDetails, catalogForm, Way } from '../contract.ts';
import { type Form, formsOf } from '../install/forms.ts';
import { commandOf } from '../install/launch.ts';
import { formWarnings, howTo, warningsOf } from '../install/warnings.ts';
import type { KnownEntry } from './known-entries.ts';

type DetailsView = z.input<typeof catalogDetails>;
type FormView = z.input<typeof catalogForm>;

/** An entry as lists show it. `installed` are the servers that came from any entry. */
export function itemView(entry: KnownEntry, installed: readonly ServerView[]) {
  const { id, name, description, category, maintainer, tier, confidence, isPrivate, transports } = entry;
  return {
    ...{ id, name, description, category, maintainer, tier, confidence, isPrivate },
    homepage: entry.homepage ?? null,
    deprecated: entry.deprecated ?? null,
    transports: unique(transports.map(({ type }) => type)),
    runtimes: unique(transports.flatMap((way) => (way.type === 'stdio' ? [way.runtime] : []))),
    auth: authOf(entry),
    installedAs: madeOf(entry, installed).map((server) => server.id),
  };
}

/** Everything that is known of an entry, and what it asks for. */
export function detailsView(entry: KnownEntry, installed: readonly ServerView[]): DetailsView {
  const { oauth } = entry.auth;
  return {
    ...itemView(entry, installed),
    // Checked with the entry: it has a short id, or says which one a server gets.
    serverId: entry.serverId ?? entry.id,
    howTo: howTo(entry),
    warnings: warningsOf(entry),
    audit: {
      dcr: oauth?.dcr ?? null,
      gated: oauth?.gated ?? false,
      cimd: oauth?.cimd ?? false,
      openHandshake: entry.openHandshake,
      notes: entry.protocolNotes ?? '',
      authBasis: entry.authBasis,
      sourceRefs: entry.sourceRefs,
    },
    forms: formsOf(entry).map(formView),
    installed: madeOf(entry, installed),
  };
}

/** Every kind that an entry has, the usual one first. */
export function authOf({ auth, transports }: Pick<KnownEntry, 'auth' | 'transports'>): AuthKind[] {
  const all = unique(transports.flatMap((way) => way.auth));
  return all.includes(auth.kind) ? [auth.kind, ...all.filter((kind) => kind !== auth.kind)] : all;
}

function madeOf({ id }: KnownEntry, installed: readonly ServerView[]): ServerView[] {
  return installed.filter(({ origin }) => origin?.entry === id);
}

function formView(form: Form): FormView {
  const { transport, way, auth, fields, oneOf } = form;
  return {
    ...{ transport, type: way.type, auth, fields: [...fields], oneOf: [...oneOf] },
    runtime: way.type === 'stdio' ? way.runtime : null,
    reaches: reachesOf(way),
    version: (way.type === 'stdio' && way.version) || null,
    pinned: pinnedOf(way),
    note: way.note ?? null,
    warnings: formWarnings(form),
  };
}

function pinnedOf(way: Way): FormView['pinned'] {
  if (way.type !== 'stdio' || way.serves) return null;
  if (way.runtime === 'binary') return 'not-pinned';
  return way.version === undefined ? 'at-install' : 'verified';
}

/** What is reached: a URL, or the command line with `latest` where no version is known yet. */
export function reachesOf(way: Way): string {
  if (way.type !== 'stdio') return way.url;
  const digest = way.runtime === 'docker' ? (way.integrity ?? null) : null;
  const version = way.version ?? 'latest';
  const { command, args } = commandOf(way, { pin: { version, digest }, env: [], args: way.args });
  return [command, ...args].join(' ');
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
