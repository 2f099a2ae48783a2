import type { ServerDefinition } from '../../access/contract.ts';
import { isObject } from '../rpc/message.ts';
import { type Era, meta } from '../rpc/protocol.ts';
import { editObject, findMember, membersOf } from '../rpc/raw.ts';

/** Which extensions pass between a server and its clients, by name. */
export type ExtensionPolicy = ServerDefinition['extensions'];

/** Tasks have ids that the gate seals; without it nothing of them passes (SEP-2663). */
export const tasksExtension = 'io.modelcontextprotocol/tasks';

export function allowsExtension(policy: ExtensionPolicy, name: string): boolean {
  return policy === undefined || policy === 'all' || (policy !== 'none' && policy.includes(name));
}

/**
 * May a method that is not the specification's own go to the server? It belongs to the extension whose name ends like
 * it begins (`skills/list`); where none does, all that the server announces must be allowed.
 */
export function allowsMethod(
  policy: ExtensionPolicy,
  method: string,
  capabilities: Readonly<Record<string, unknown>> | undefined,
): boolean {
  if (policy === undefined || policy === 'all') return true;
  if (policy === 'none') return false;
  const [first] = method.split('/');
  if (policy.some((name) => name.split('/').at(-1) === first)) return true;
  const announced = capabilities?.['extensions'];
  if (!isObject(announced)) return capabilities === undefined;
  return Object.keys(announced).every((name) => policy.includes(name));
}

/**
 * Client capabilities for a server, as JSON text: without the extensions that its definition holds back, and without
 * those of `except`. The text stays as it is when nothing is to be left out.
 */
export function allowedCapabilities(
  { extensions: policy }: Pick<ServerDefinition, 'extensions'>,
  capabilities: string,
  except: readonly string[] = [],
): string {
  if (!capabilities.includes('"extensions"') && !capabilities.includes('\\u')) return capabilities;
  const span = findMember(membersOf(capabilities), 'extensions');
  const raw = span && capabilities.slice(span.start, span.end);
  if (!raw?.startsWith('{')) return capabilities;
  const refused = membersOf(raw).filter(({ key }) => !allowsExtension(policy, key) || except.includes(key));
  if (refused.length === 0) return capabilities;
  const kept = editObject(raw, Object.fromEntries(refused.map(({ key }) => [key, null])));
  return editObject(capabilities, { extensions: kept === '{}' ? null : kept });
}

/**
 * Params as the server may see them: a modern one hears of no extension that its definition holds back, and of tasks
 * only from a client that can have them; a legacy one is not asked for tasks, which the gate has not offered.
 */
export function permitted(
  rawParams: string | undefined,
  { method, era, south, definition }: { method: string; era: Era; south: Era; definition: ServerDefinition },
): string | undefined {
  if (rawParams === undefined) return undefined;
  if (south === 'modern')
    return withAllowedExtensions(definition, rawParams, era === 'modern' ? [] : [tasksExtension]);
  const mayAsk = method === 'tools/call' && /"task"|\\u/.test(rawParams);
  return mayAsk && findMember(membersOf(rawParams), 'task')
    ? editObject(rawParams, { task: null })
    : rawParams;
}

function withAllowedExtensions(
  definition: ServerDefinition,
  rawParams: string,
  except: readonly string[],
): string {
  if ((definition.extensions ?? 'all') === 'all' && except.length === 0) return rawParams;
  const span = findMember(membersOf(rawParams), '_meta');
  const rawMeta = span && rawParams.slice(span.start, span.end);
  if (!rawMeta?.startsWith('{')) return rawParams;
  const declared = findMember(membersOf(rawMeta), meta.clientCapabilities);
  if (!declared) return rawParams;
  const before = rawMeta.slice(declared.start, declared.end);
  const after = allowedCapabilities(definition, before, except);
  if (after === before) return rawParams;
  return editObject(rawParams, { _meta: editObject(rawMeta, { [meta.clientCapabilities]: after }) });
}

/**
 * Client capabilities for a connection that many share and that is made anew for each other text of them: of
 * extensions only those that the operator has named, so that no client can make connections multiply at will.
 */
export function sharedCapabilities({ extensions: policy }: ServerDefinition, capabilities: string): string {
  return allowedCapabilities({ extensions: Array.isArray(policy) ? policy : 'none' }, capabilities);
}

/** Extensions that one client may declare to servers that are told once and for all, and the size of each. */
const mostDeclared = 8;
const longestSettings = 300;

/**
 * The extensions that a client declares, for connections that are told apart by it: few, small, in one order, and
 * without tasks, which do not cross the eras. Whose definition holds them back does not hear of them.
 */
export function declaredExtensions(extensions: unknown): Readonly<Record<string, object>> {
  if (!isObject(extensions)) return {};
  const kept = Object.entries(extensions).flatMap(([name, settings]) => {
    const isKept = /^[\w.-]{1,60}\/[\w.-]{1,60}$/.test(name) && name !== tasksExtension && isObject(settings);
    return isKept && JSON.stringify(settings).length <= longestSettings ? [[name, settings] as const] : [];
  });
  return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, mostDeclared));
}

/** What a server says it can do, as its clients may hear of it. */
export function announcedExtensions(
  policy: ExtensionPolicy,
  extensions: unknown,
  except: readonly string[] = [],
): Readonly<Record<string, unknown>> {
  if (!isObject(extensions)) return {};
  const kept = Object.entries(extensions).filter(
    ([name]) => allowsExtension(policy, name) && !except.includes(name),
  );
  return Object.fromEntries(kept);
}
