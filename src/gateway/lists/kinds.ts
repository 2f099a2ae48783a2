import type { RpcNotification } from '../rpc/message.ts';

export type ListKind = 'tools' | 'prompts' | 'resources' | 'templates';

interface ListSpec {
  readonly method: string;
  /** Member of the result that holds the items. */
  readonly member: string;
  /** Member of an item that names it. */
  readonly key: 'name' | 'uri' | 'uriTemplate';
  /** Server capability without which the list is empty. */
  readonly capability: 'tools' | 'prompts' | 'resources';
  readonly changed: string;
}

/** The four lists of MCP (server/tools.mdx, prompts.mdx, resources.mdx). */
export const lists: Readonly<Record<ListKind, ListSpec>> = {
  tools: {
    method: 'tools/list',
    member: 'tools',
    key: 'name',
    capability: 'tools',
    changed: 'notifications/tools/list_changed',
  },
  prompts: {
    method: 'prompts/list',
    member: 'prompts',
    key: 'name',
    capability: 'prompts',
    changed: 'notifications/prompts/list_changed',
  },
  resources: {
    method: 'resources/list',
    member: 'resources',
    key: 'uri',
    capability: 'resources',
    changed: 'notifications/resources/list_changed',
  },
  templates: {
    method: 'resources/templates/list',
    member: 'resourceTemplates',
    key: 'uriTemplate',
    capability: 'resources',
    changed: 'notifications/resources/list_changed',
  },
};

export const listKinds = [
  'tools',
  'prompts',
  'resources',
  'templates',
] as const satisfies readonly ListKind[];

/** Which lists a notification says are out of date. */
export function kindsChangedBy(message: RpcNotification): ListKind[] {
  return listKinds.filter((kind) => lists[kind].changed === message.method);
}

export function kindOfMethod(method: string): ListKind | undefined {
  return listKinds.find((kind) => lists[kind].method === method);
}
