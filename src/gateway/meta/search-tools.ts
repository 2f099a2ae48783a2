import type { SnapshotServer } from '../../access/index.ts';
import type { ViewItem } from '../lists/view.ts';
import { invalidParams } from '../refusals.ts';
import { isObject } from '../rpc/message.ts';
import { indexOf, type OwnTools } from './own-tools.ts';
import type { ToolIndexes } from './tool-indexes.ts';
import { defaultLimit, longestQuery, mostResults, type MetaAnswer } from './tools.ts';

/** Of a description, in characters: describe_tools has the rest. */
const longestDescription = 300;
const mostParams = 30;
const mostNamed = 40;

/** The caller's tools that fit the words best; without words, all of them by name. */
export async function searchTools(
  indexes: ToolIndexes,
  own: OwnTools,
  asked: Readonly<Record<string, unknown>>,
): Promise<MetaAnswer> {
  const query = queryIn(asked);
  const limit = limitIn(asked['limit']);
  const server = serverIn(asked['server'], own.servers);
  const index = query === '' ? undefined : await indexOf(indexes, own);
  const all = own.view.items.filter((item) => server === null || item.server === server);
  const found = index ? index.find(query, limit, server) : all.slice(0, limit);
  const note = [
    ...(found.length === 0 ? [nothing(own)] : []),
    ...(query === '' && all.length > found.length
      ? [`${all.length - found.length} more tools: name what you need, or a server.`]
      : []),
    ...unlisted(own),
  ].join(' ');
  const answer = { tools: found.map(resultOf), ...(note !== '' && { note }) };
  return { text: JSON.stringify(answer), isStructured: true };
}

function queryIn({ query }: Readonly<Record<string, unknown>>): string {
  // Some models list their words.
  const text = Array.isArray(query) ? query.join(' ') : (query ?? '');
  if (typeof text !== 'string')
    throw invalidParams('"query" must be a string: a few words for what the tool should do.');
  return text.trim().slice(0, longestQuery);
}

function limitIn(limit: unknown): number {
  const wanted = Number(limit ?? defaultLimit);
  return Number.isFinite(wanted) ? Math.min(mostResults, Math.max(1, Math.floor(wanted))) : defaultLimit;
}

function serverIn(server: unknown, servers: readonly SnapshotServer[]): string | null {
  if (server === undefined || server === null || server === '') return null;
  const wanted = typeof server === 'string' ? server.toLowerCase() : '';
  const found = servers.find(
    ({ id, definition }) => id === wanted || definition.displayName?.toLowerCase() === wanted,
  );
  if (found) return found.id;
  throw invalidParams(
    `There is no server "${wanted.slice(0, 100)}" that you may use. Yours are: ${namesOf(servers)}.`,
  );
}

function nothing({ servers }: OwnTools): string {
  return `Nothing fits. Try other words, or an empty query with one of the servers: ${namesOf(servers)}.`;
}

/** Servers whose tools nobody knows at the moment, so that "not found" is not taken for "does not exist". */
function unlisted({ known, servers }: OwnTools): string[] {
  const met = new Set(known.flatMap(({ hello, target }) => (hello === undefined ? [] : [target.server.id])));
  const away = servers.map(({ id }) => id).filter((id) => !met.has(id));
  return away.length === 0
    ? []
    : [`The tools of ${away.slice(0, mostNamed).join(', ')} cannot be listed at the moment.`];
}

function namesOf(servers: readonly SnapshotServer[]): string {
  const names = servers.slice(0, mostNamed).map(({ id }) => id);
  return servers.length > mostNamed ? `${names.join(', ')}, …` : names.join(', ');
}

function resultOf({ name, server, raw }: ViewItem) {
  const tool: unknown = JSON.parse(raw);
  const { title, description, inputSchema } = isObject(tool) ? tool : {};
  const schema = isObject(inputSchema) ? inputSchema : {};
  const properties = isObject(schema['properties']) ? Object.keys(schema['properties']) : [];
  const stated = Array.isArray(schema['required'])
    ? schema['required'].filter((one) => typeof one === 'string')
    : [];
  const required = new Set(stated);
  const optional = properties.filter((one) => !required.has(one));
  return {
    name,
    server,
    ...(typeof title === 'string' && { title: shortened(title) }),
    description: typeof description === 'string' ? shortened(description) : '',
    required: stated.slice(0, mostParams).map(shortened),
    optional: optional.slice(0, mostParams).map(shortened),
  };
}

/** The beginning, up to the end of a word. */
function shortened(text: string): string {
  const plain = text.replaceAll(/\s+/g, ' ').trim();
  if (plain.length <= longestDescription) return plain;
  return `${plain.slice(0, longestDescription).replace(/\s+\S*$/, '')} …`;
}
