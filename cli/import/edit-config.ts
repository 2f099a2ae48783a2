import { applyEdits, type JSONPath, modify, parse } from 'jsonc-parser';
import { accessFile, serverIdFrom } from '../../src/access/contract.ts';
import type { Plan } from './plan.ts';
import { ImportError } from './read-plan.ts';

const formattingOptions = { tabSize: 2, insertSpaces: true, eol: '\n' };

/** Ids of the servers that the config file has. */
export function serversIn(text: string): Set<string> {
  return new Set(Object.keys(sectionOf(parse(text), 'mcpServers')).map(serverIdFrom));
}

/**
 * The config file with the plan in it; comments and everything else stay as they are. Grants that are there are kept.
 * Throws ImportError when what would come out is no valid file: nothing is half done.
 */
export function withPlan(text: string, plan: Plan): string {
  let edited = text.trim() === '' ? '{}\n' : text;
  const set = (path: JSONPath, value: unknown) => {
    edited = applyEdits(edited, modify(edited, path, value, { formattingOptions }));
  };
  for (const { id, entry } of plan.servers) set(['mcpServers', id], entry);
  for (const [section, holders] of [
    ['groups', plan.groups],
    ['users', plan.users],
  ] as const) {
    for (const [name, ids] of holders) grantIn(edited, [section, name], ids, set);
  }
  check(edited, plan);
  return edited;
}

function grantIn(
  text: string,
  path: [string, string],
  ids: readonly string[],
  set: (path: JSONPath, value: unknown) => void,
): void {
  const holder = sectionOf(sectionOf(parse(text), path[0]), path[1]);
  const { servers } = holder;
  if (Array.isArray(servers)) {
    const all = [...new Set([...servers.map(String), ...ids])];
    return set([...path, 'servers'], all);
  }
  if (servers === undefined) return set([...path, 'servers'], [...ids]);
  // With patterns: those that stand there are not widened.
  const granted = sectionOf(holder, 'servers');
  for (const id of ids) if (!(id in granted)) set([...path, 'servers', id], ['*']);
}

/** What was put in must be what the schema of the file allows; the rest is for the program that reads it. */
function check(text: string, plan: Plan): void {
  const file: unknown = parse(text);
  const pick = (section: string, names: Iterable<string>) => {
    const all = sectionOf(file, section);
    return Object.fromEntries([...names].map((name) => [name, all[name]]));
  };
  const checked = accessFile.safeParse({
    mcpServers: pick(
      'mcpServers',
      plan.servers.map(({ id }) => id),
    ),
    groups: pick('groups', plan.groups.keys()),
    users: pick('users', plan.users.keys()),
  });
  if (checked.success) return;
  const sentences = checked.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new ImportError(
    `Nothing was written, because it would not be a valid config file:\n${sentences.join('\n')}`,
  );
}

function sectionOf(file: unknown, name: string): Record<string, unknown> {
  const section =
    typeof file === 'object' && file !== null ? (file as Record<string, unknown>)[name] : undefined;
  return typeof section === 'object' && section !== null ? { ...section } : {};
}
