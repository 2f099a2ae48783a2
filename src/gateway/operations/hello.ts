import { type Call, type Gate, requestOf } from '../call.ts';
import type { Known } from '../lists/list-store.ts';
import { isObject } from '../rpc/message.ts';
import { latestLegacy, legacyVersions, meta, modernVersions } from '../rpc/protocol.ts';
import { gateInfo } from '../upstreams/handshake.ts';
import { knownServers } from './lists.ts';

const discoverTtl = 5_000;
const longestInstructions = 32_000;

/** What the merged endpoint can do: whatever its servers can. */
const mergedCapabilities = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  completions: {},
  logging: {},
};

/** `initialize` (2025-11-25 basic/lifecycle.mdx). The session is the face's business. */
export async function serveInitialize(call: Call, gate: Gate): Promise<void> {
  const about = await describe(call, gate);
  const { capabilities, serverInfo, instructions } = about;
  call.response = {
    kind: 'local',
    rawResult: JSON.stringify({
      protocolVersion: negotiated(requestOf(call).params),
      capabilities,
      serverInfo,
      instructions,
    }),
  };
}

/** `server/discover` (2026-07-28 server/discover.mdx). */
export async function serveDiscover(call: Call, gate: Gate): Promise<void> {
  const { capabilities, serverInfo, instructions } = await describe(call, gate);
  const modern = Object.fromEntries(Object.entries(capabilities).filter(([name]) => name !== 'logging'));
  call.response = {
    kind: 'local',
    rawResult: JSON.stringify({
      resultType: 'complete',
      supportedVersions: modernVersions,
      capabilities: modern,
      instructions,
      ttlMs: discoverTtl,
      cacheScope: 'private',
      _meta: { [meta.serverInfo]: serverInfo },
    }),
  };
}

/** The revision asked for when the gate speaks it, else the newest legacy one. */
export function negotiated(params: Readonly<Record<string, unknown>> | undefined): string {
  const wanted = params?.['protocolVersion'];
  return legacyVersions.find((version) => version === wanted) ?? latestLegacy;
}

interface About {
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly serverInfo: unknown;
  readonly instructions: string | undefined;
}

async function describe(call: Call, gate: Gate): Promise<About> {
  if (call.path.server === null) {
    const known = call.targets.map((target) => gate.lists.peek(target, call.era, call.capabilities));
    return {
      capabilities: mergedCapabilities,
      serverInfo: gateInfo,
      instructions: mergedInstructions(known),
    };
  }
  const [known] = await knownServers(call, gate);
  const hello = known?.hello;
  // A server that is away now may be back for the first call, which will then say what is wrong.
  if (!hello) return { capabilities: mergedCapabilities, serverInfo: gateInfo, instructions: undefined };
  return {
    capabilities: ownCapabilities(hello.capabilities),
    serverInfo: hello.serverInfo ?? gateInfo,
    instructions: hello.instructions,
  };
}

/**
 * The server's own, with changes announced always (rights change even where tools do not), and without tasks:
 * their ids are not bound to a caller yet.
 */
function ownCapabilities(capabilities: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { tasks: _tasks, extensions, ...rest } = capabilities;
  const own: Record<string, unknown> = { ...rest };
  for (const kind of ['tools', 'prompts', 'resources']) {
    const value = own[kind];
    if (isObject(value)) own[kind] = { ...value, listChanged: true };
  }
  if (isObject(extensions)) {
    const { 'io.modelcontextprotocol/tasks': _extension, ...others } = extensions;
    own['extensions'] = others;
  }
  return own;
}

/** What each server wants a model to know, under its name; of servers that have been met already. */
function mergedInstructions(known: readonly Known[]): string | undefined {
  const parts = known.flatMap((one) =>
    one.hello?.instructions ? [`# ${one.target.server.id}\n${one.hello.instructions}`] : [],
  );
  return parts.length === 0 ? undefined : parts.join('\n\n').slice(0, longestInstructions);
}
