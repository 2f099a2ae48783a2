import type { KnownEntry } from '../entries/known-entries.ts';
import { type Form, formsOf } from './forms.ts';
import { launch } from './make-definition.ts';

/** A command that a server of the catalog may be started with; `${…}` stands for what is filled in. */
export interface PinnedCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** Every variable that it may be given. */
  readonly env: Readonly<Record<string, string>>;
  /** A program that the operator named in the config file: nothing is fetched, so no version is asked for. */
  readonly isOperators?: true;
}

const anyVersion = '${variable:version}';

/** What the entries would start, with any version of each package: which one is for the pin of the server to say. */
export function pinnedCommands(entries: Iterable<KnownEntry>): PinnedCommand[] {
  const all = [...entries].flatMap((entry) =>
    formsOf(entry).flatMap((form) => commandsOf(form, entry.isPrivate)),
  );
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}

function commandsOf(form: Form, isPrivate: boolean): PinnedCommand[] {
  const { way } = form;
  if (way.type !== 'stdio' || way.serves) return [];
  if (way.runtime === 'binary' && !isPrivate) return [];
  const filled = new Set(form.fields.map(({ name }) => name));
  const { command, args, env } = launch({ form, filled, pin: { version: anyVersion, digest: null } }, way);
  const pinned = { command, args, env };
  if (way.runtime === 'binary') return [{ ...pinned, isOperators: true }];
  if (way.runtime !== 'docker') return [pinned];
  // An image is named by a tag, by a tag and a digest, or by a digest alone.
  const tagged = `${way.package}:${anyVersion}`;
  const digested = `${way.package}@${anyVersion}`;
  return [pinned, { ...pinned, args: args.map((arg) => (arg === tagged ? digested : arg)) }];
}
