// A gate with limits, two servers and four people, for tests of what callers meet.
import { beforeAll, beforeEach, expect } from 'vitest';
import { startUpstream, type UpstreamServer } from './e2e/upstream.ts';
import { as, gatewayWorld, type Picture } from './gateway-world.ts';

let upstream: UpstreamServer;
/** Calls of the tool `held` wait here. */
export const held: (() => void)[] = [];

beforeAll(async () => {
  const tools = ['one', 'two', 'held'].map((name) => ({ name, inputSchema: { type: 'object' } }));
  upstream = await startUpstream(
    { tools: {} },
    {
      'tools/list': () => ({ tools }),
      'tools/call': async ({ params }) => {
        const name = String(params?.['name']);
        if (name === 'held') await new Promise<void>((resolve) => held.push(resolve));
        return { content: [{ type: 'text', text: name }] };
      },
    },
  );
});

beforeEach(() => {
  for (const go of held.splice(0)) go();
});

export const alice = as('alice@acme.com');
export const bob = as('bob@acme.com');
/** May call one tool of one server. */
export const carol = as('carol@acme.com');
/** The same of the other server. */
export const dave = as('dave@acme.com');

export const tooMany: unknown = expect.stringContaining('Too many requests');

export function limitedPicture(): Picture {
  const server = { type: 'http', url: upstream.url };
  return {
    servers: { up: server, other: server },
    groups: {
      Everyone: { servers: ['up', 'other'] },
      Few: { servers: { up: ['one'] } },
      Many: { servers: ['up'] },
    },
    tenants: { acme: {} },
    users: {
      'alice@acme.com': { groups: ['Everyone', 'Few', 'Many'] },
      'bob@acme.com': { groups: ['Everyone'] },
      'carol@acme.com': { groups: ['Few'] },
      'dave@acme.com': { servers: { other: ['one'] } },
    },
  };
}

type Limited = NonNullable<Parameters<typeof gatewayWorld>[1]>['rateLimits'] & object;

/** A gate whose clock stands still unless it is told to go on. */
export async function limited(rateLimits: Limited, more: Partial<Picture> = {}) {
  let now = Date.now();
  const world = await gatewayWorld(
    { ...limitedPicture(), ...more },
    { rateLimits, clock: () => now, trustedProxies: ['127.0.0.1'] },
  );
  return {
    world,
    pass: (seconds: number) => {
      now += seconds * 1_000;
    },
    /** The text of a tool's result. */
    call: async (name: string, headers = alice, path = '/mcp') => {
      const { result } = await world.ask(path, 'tools/call', { name, arguments: {} }, headers);
      const content = result?.['content'] as { text: string }[]; // a test that gets none fails here
      return content[0]?.text;
    },
    ping: (headers: Record<string, string> = alice, path = '/mcp') =>
      world.post(path, { id: 1, method: 'ping' }, headers),
  };
}
