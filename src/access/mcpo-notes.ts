// What a config file of mcpo says that means something else here. Keys that mean the same are read by the schema.
import type { Mistake } from '../platform/mistakes.ts';
import { serverIdFrom } from './contract.ts';

/** What is not carried over, or carries another name; for a file that was read. Nothing of it is wrong. */
export function mcpoNotes(file: unknown): Mistake[] {
  return Object.entries(serversIn(file)).flatMap(([name, entry]) => {
    const notes: Mistake[] = [];
    const note = (key: string | undefined, message: string) =>
      notes.push({ path: ['mcpServers', name, ...(key === undefined ? [] : [key])], message });
    const id = serverIdFrom(name);
    if (id !== name) note(undefined, `is the server "${id}" here; URLs of the OpenAPI face take either name`);
    if (isRecord(entry) && entry['oauth'] !== undefined)
      note(
        'oauth',
        'is not carried over: mcpo signs in once for everybody; set a key for the server instead',
      );
    const forwarding = isRecord(entry) ? entry['client_header_forwarding'] : undefined;
    if (isRecord(forwarding) && forwarding['enabled'] === true)
      note('client_header_forwarding', 'is not carried over: what a caller sends never reaches a server');
    return notes;
  });
}

/** Two names that stand for one server. */
export function sameServers(file: unknown): Mistake[] {
  const seen = new Map<string, string>();
  return Object.keys(serversIn(file)).flatMap((name) => {
    const id = serverIdFrom(name);
    const first = seen.get(id);
    if (first === undefined) seen.set(id, name);
    const message = `is the same server as ${JSON.stringify(first)}: both stand for "${id}"`;
    return first === undefined ? [] : [{ path: ['mcpServers', name], message }];
  });
}

function serversIn(file: unknown): Record<string, unknown> {
  const servers = isRecord(file) ? file['mcpServers'] : undefined;
  return isRecord(servers) ? servers : {};
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
