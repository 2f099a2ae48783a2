// Somebody's tools over the OpenAPI face, for its tests.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { as, type gatewayWorld, type Picture } from './gateway-world.ts';

const fakes = new URL('./fakes/', import.meta.url);
export const zoo = { command: process.execPath, args: [fileURLToPath(new URL('tool-zoo.ts', fakes))] };

// biome-ignore lint/suspicious/noExplicitAny: documents and answers are looked into by the test that reads them
export type Json = any;
export type World = Awaited<ReturnType<typeof gatewayWorld>>;

export function picture(more: Partial<Picture> = {}): Picture {
  return {
    servers: { zoo, everything: { command: 'mcp-server-everything' } },
    groups: {
      all: { servers: ['zoo', 'everything'] },
      'a few/tools': { servers: { zoo: ['echo', 'give'] } },
      bosses: { admin: true },
      acme: { tenant: 'acme', servers: { zoo: ['give'] } },
      beta: { tenant: 'beta', servers: { zoo: ['fail'] } },
    },
    tenants: { acme: {}, beta: {} },
    users: {
      'alice@acme.com': { groups: ['all', 'a few/tools'] },
      'bob@acme.com': { groups: ['a few/tools'] },
      'boss@acme.com': { groups: ['bosses'] },
      'carol@acme.com': { groups: ['acme', 'beta', 'a few/tools'] },
      'nobody@acme.com': {},
    },
    ...more,
  };
}

export function recorded(name: string): Json {
  return JSON.parse(readFileSync(new URL(`mcpo/${name}.json`, fakes), 'utf8'));
}

export async function get(world: World, path: string, who: string | null = 'alice@acme.com') {
  const response = await fetch(`${world.url}${path}`, { headers: who === null ? {} : as(who) });
  const body: Json = await response.json();
  return { status: response.status, body };
}

export const namesIn = ({ body }: { body: Json }): string[] =>
  Object.keys(body.paths).map((path) => path.slice(1));

export async function post(
  world: World,
  path: string,
  body: string | null,
  o: { who?: string | null; type?: string } = {},
) {
  const { who = 'alice@acme.com', type = 'application/json' } = o;
  const headers: Record<string, string> = who === null ? {} : as(who);
  if (body !== null) headers['content-type'] = type;
  const response = await fetch(`${world.url}${path}`, { method: 'POST', headers, body });
  const text = await response.text();
  return { status: response.status, text, headers: response.headers, answer: JSON.parse(text) };
}
